// Paddle's view of the layer: `dyrelu_ab` (one or all channels' coefficients) and `dyrelu_c` (with a map).
#include "layer.h"

namespace {

using namespace dyrelu;

template <bool kKeep>
std::vector<Tensor> ab(const Tensor& x, const Tensor& w1, const Tensor& b1, const Tensor& w2, const Tensor& b2,
                       int k) {
  return forward(shape_of(x, w1, w2, k), x, {w1, b1, w2, b2}, kKeep);
}

std::vector<Tensor> ab_backward(const Tensor& x, const Tensor& w1, const Tensor& b1, const Tensor& w2,
                                const Tensor& b2, const Tensor& pooled, const Tensor& deltas, const Tensor& dy,
                                int k) {
  return backward(shape_of(x, w1, w2, k), x, {w1, b1, w2, b2}, {pooled, deltas}, dy);
}

std::vector<Tensor> ab_deployed_backward(const Tensor& x, const Tensor& w1, const Tensor& b1, const Tensor& w2,
                                       const Tensor& b2, const Tensor& dy, int k) {
  return computed_again(shape_of(x, w1, w2, k), x, {w1, b1, w2, b2}, dy);
}

template <bool kKeep>
std::vector<Tensor> c(const Tensor& x, const Tensor& w1, const Tensor& b1, const Tensor& w2, const Tensor& b2,
                      const Tensor& wz, const Tensor& bz, int k, int spatial, float tau) {
  return forward(shape_of(x, w1, w2, k, spatial, tau), x, {w1, b1, w2, b2, wz, bz}, kKeep);
}

std::vector<Tensor> c_backward(const Tensor& x, const Tensor& w1, const Tensor& b1, const Tensor& w2,
                               const Tensor& b2, const Tensor& wz, const Tensor& bz, const Tensor& pooled,
                               const Tensor& deltas, const Tensor& shares, const Tensor& dy, int k, int spatial,
                               float tau) {
  return backward(shape_of(x, w1, w2, k, spatial, tau), x, {w1, b1, w2, b2, wz, bz}, {pooled, deltas, shares}, dy);
}

std::vector<Tensor> c_deployed_backward(const Tensor& x, const Tensor& w1, const Tensor& b1, const Tensor& w2,
                                      const Tensor& b2, const Tensor& wz, const Tensor& bz, const Tensor& dy, int k,
                                      int spatial, float tau) {
  return computed_again(shape_of(x, w1, w2, k, spatial, tau), x, {w1, b1, w2, b2, wz, bz}, dy);
}

// Axes that are not known when tracing are -1.
std::int64_t positions(const Sizes& x) {
  std::int64_t product = 1;
  for (std::size_t i = 2; i < x.size(); ++i) product = x[i] < 0 || product < 0 ? -1 : product * x[i];
  return product;
}

std::vector<Sizes> ab_shapes(const Sizes& x, const Sizes&, const Sizes&, const Sizes& w2, const Sizes&, int) {
  return {x, {x[0], x[1]}, {x[0], w2[1]}};
}

std::vector<Sizes> c_shapes(const Sizes& x, const Sizes&, const Sizes&, const Sizes& w2, const Sizes&,
                            const Sizes&, const Sizes&, int, int, float) {
  return {x, {x[0], x[1]}, {x[0], w2[1]}, {x[0], positions(x)}};
}

std::vector<Sizes> ab_result(const Sizes& x, const Sizes&, const Sizes&, const Sizes&, const Sizes&, int) {
  return {x};
}

std::vector<Sizes> c_result(const Sizes& x, const Sizes&, const Sizes&, const Sizes&, const Sizes&, const Sizes&,
                            const Sizes&, int, int, float) {
  return {x};
}

using Type = paddle::DataType;

std::vector<Type> ab_types(const Type& x, const Type&, const Type&, const Type&, const Type&) { return {x, x, x}; }

std::vector<Type> c_types(const Type& x, const Type&, const Type&, const Type&, const Type&, const Type&,
                          const Type&) {
  return {x, x, x, x};
}

std::vector<Type> ab_type(const Type& x, const Type&, const Type&, const Type&, const Type&) { return {x}; }

std::vector<Type> c_type(const Type& x, const Type&, const Type&, const Type&, const Type&, const Type&,
                         const Type&) {
  return {x};
}

}  // namespace

PD_BUILD_OP(dyrelu_ab)
    .Inputs({"X", "W1", "B1", "W2", "B2"})
    .Outputs({"Y", "Pooled", "Deltas"})
    .Attrs({"k: int"})
    .SetKernelFn(PD_KERNEL(ab<true>))
    .SetInferShapeFn(PD_INFER_SHAPE(ab_shapes))
    .SetInferDtypeFn(PD_INFER_DTYPE(ab_types));

PD_BUILD_GRAD_OP(dyrelu_ab)
    .Inputs({"X", "W1", "B1", "W2", "B2", "Pooled", "Deltas", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("W1"), paddle::Grad("B1"), paddle::Grad("W2"), paddle::Grad("B2")})
    .Attrs({"k: int"})
    .SetKernelFn(PD_KERNEL(ab_backward));

PD_BUILD_OP(dyrelu_c)
    .Inputs({"X", "W1", "B1", "W2", "B2", "Wz", "Bz"})
    .Outputs({"Y", "Pooled", "Deltas", "Shares"})
    .Attrs({"k: int", "spatial: int", "tau: float"})
    .SetKernelFn(PD_KERNEL(c<true>))
    .SetInferShapeFn(PD_INFER_SHAPE(c_shapes))
    .SetInferDtypeFn(PD_INFER_DTYPE(c_types));

PD_BUILD_GRAD_OP(dyrelu_c)
    .Inputs({"X", "W1", "B1", "W2", "B2", "Wz", "Bz", "Pooled", "Deltas", "Shares", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("W1"), paddle::Grad("B1"), paddle::Grad("W2"), paddle::Grad("B2"),
              paddle::Grad("Wz"), paddle::Grad("Bz")})
    .Attrs({"k: int", "spatial: int", "tau: float"})
    .SetKernelFn(PD_KERNEL(c_backward));

// The same without what the backward pass reads: `_result` for eager mode where no gradient will be asked for, as
// one that has a gradient costs microseconds there even so; `_deployed` for traced programs, where one may be.
PD_BUILD_OP(dyrelu_ab_result)
    .Inputs({"X", "W1", "B1", "W2", "B2"})
    .Outputs({"Y"})
    .Attrs({"k: int"})
    .SetKernelFn(PD_KERNEL(ab<false>))
    .SetInferShapeFn(PD_INFER_SHAPE(ab_result))
    .SetInferDtypeFn(PD_INFER_DTYPE(ab_type));

PD_BUILD_OP(dyrelu_ab_deployed)
    .Inputs({"X", "W1", "B1", "W2", "B2"})
    .Outputs({"Y"})
    .Attrs({"k: int"})
    .SetKernelFn(PD_KERNEL(ab<false>))
    .SetInferShapeFn(PD_INFER_SHAPE(ab_result))
    .SetInferDtypeFn(PD_INFER_DTYPE(ab_type));

PD_BUILD_GRAD_OP(dyrelu_ab_deployed)
    .Inputs({"X", "W1", "B1", "W2", "B2", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("W1"), paddle::Grad("B1"), paddle::Grad("W2"), paddle::Grad("B2")})
    .Attrs({"k: int"})
    .SetKernelFn(PD_KERNEL(ab_deployed_backward));

PD_BUILD_OP(dyrelu_c_result)
    .Inputs({"X", "W1", "B1", "W2", "B2", "Wz", "Bz"})
    .Outputs({"Y"})
    .Attrs({"k: int", "spatial: int", "tau: float"})
    .SetKernelFn(PD_KERNEL(c<false>))
    .SetInferShapeFn(PD_INFER_SHAPE(c_result))
    .SetInferDtypeFn(PD_INFER_DTYPE(c_type));

PD_BUILD_OP(dyrelu_c_deployed)
    .Inputs({"X", "W1", "B1", "W2", "B2", "Wz", "Bz"})
    .Outputs({"Y"})
    .Attrs({"k: int", "spatial: int", "tau: float"})
    .SetKernelFn(PD_KERNEL(c<false>))
    .SetInferShapeFn(PD_INFER_SHAPE(c_result))
    .SetInferDtypeFn(PD_INFER_DTYPE(c_type));

PD_BUILD_GRAD_OP(dyrelu_c_deployed)
    .Inputs({"X", "W1", "B1", "W2", "B2", "Wz", "Bz", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("W1"), paddle::Grad("B1"), paddle::Grad("W2"), paddle::Grad("B2"),
              paddle::Grad("Wz"), paddle::Grad("Bz")})
    .Attrs({"k: int", "spatial: int", "tau: float"})
    .SetKernelFn(PD_KERNEL(c_deployed_backward));
