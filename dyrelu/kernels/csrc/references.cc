// Paddle's view of the references: `dyrelu_relu` and `dyrelu_identity`, for tensors of any shape.
#include "onednn.h"
#include "references.h"

namespace {

using paddle::Tensor;
using Sizes = std::vector<std::int64_t>;
using Type = paddle::DataType;

// A tensor to read, one like it to write, and the elements that their memory holds, padding included.
struct Work {
  Tensor from, to;
  std::int64_t size;
};

// What oneDNN says the memory of this tensor is, in elements; 0 where that can't be so.
std::int64_t described_elements(const Tensor& x) {
  const auto& tensor = dyrelu::dense(x);
  if (!tensor.storage_properties_initialized() || tensor.meta().offset != 0) return 0;
  const auto& own = tensor.storage_properties<phi::OneDNNStorageProperties>().mem_desc;
  const auto bytes = own ? dnnl_memory_desc_get_size(own.get()) : 0;
  const auto element = phi::SizeOf(x.dtype());
  const bool sound = bytes >= x.numel() * element && bytes <= tensor.capacity();
  return sound && bytes % element == 0 ? static_cast<std::int64_t>(bytes / element) : 0;
}

// Where each element is worked on for itself it does not matter in which order oneDNN has left them; the layout's
// padding is written too, and stays 0.
Work work_on(const Tensor& given) {
  PD_CHECK(given.is_cpu(), "this operator runs on the CPU alone: move x there or take the plain formulation.");
  const bool foreign = given.numel() > 0 && dyrelu::is_onednn(given);
  const std::int64_t elements = foreign ? described_elements(given) : 0;
  if (elements > 0) return {given, dyrelu::same_layout(given, elements), elements};
  const Tensor x = foreign ? dyrelu::reordered(given) : given;
  return {x, paddle::empty(x.shape(), x.dtype(), x.place()), x.numel()};
}

template <typename Body>
std::vector<Tensor> result_of(Work work, Body&& body) {
  if (work.size == 0) return {paddle::zeros(work.to.shape(), work.to.dtype(), work.to.place())};
  const auto type = work.from.dtype();
  PD_CHECK(type == Type::FLOAT32 || type == Type::FLOAT64, "x must be float32 or float64.");
  if (type == Type::FLOAT32) body(work.from.data<float>(), work.to.data<float>(), work.size);
  if (type == Type::FLOAT64) body(work.from.data<double>(), work.to.data<double>(), work.size);
  return {work.to};
}

std::vector<Tensor> relu(const Tensor& x) {
  return result_of(work_on(x), [](auto* from, auto* to, std::int64_t size) { dyrelu::relu(from, to, size); });
}

// The two need not lie in the same order.
std::vector<Tensor> relu_backward(const Tensor& given, const Tensor& dy) {
  const Tensor y = dyrelu::in_order(given);
  return result_of(work_on(dyrelu::in_order(dy)), [&](auto* upstream, auto* dx, std::int64_t size) {
    using T = std::remove_pointer_t<decltype(dx)>;
    dyrelu::relu_gradient(y.data<T>(), upstream, dx, size);
  });
}

std::vector<Tensor> identity(const Tensor& x) {
  return result_of(work_on(x), [](auto* from, auto* to, std::int64_t size) { dyrelu::copy(from, to, size); });
}

std::vector<Sizes> shape_of_first(const Sizes& x) { return {x}; }
std::vector<Type> type_of_first(const Type& x) { return {x}; }
std::vector<Sizes> shape_of_second(const Sizes&, const Sizes& dy) { return {dy}; }
std::vector<Type> type_of_second(const Type&, const Type& dy) { return {dy}; }

}  // namespace

PD_BUILD_OP(dyrelu_relu)
    .Inputs({"X"})
    .Outputs({"Y"})
    .SetKernelFn(PD_KERNEL(relu))
    .SetInferShapeFn(PD_INFER_SHAPE(shape_of_first))
    .SetInferDtypeFn(PD_INFER_DTYPE(type_of_first));

// Paddle's default for the shapes of gradients looks at the inputs, and neither of these is kept one.
PD_BUILD_GRAD_OP(dyrelu_relu)
    .Inputs({"Y", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X")})
    .SetKernelFn(PD_KERNEL(relu_backward))
    .SetInferShapeFn(PD_INFER_SHAPE(shape_of_second))
    .SetInferDtypeFn(PD_INFER_DTYPE(type_of_second));

PD_BUILD_OP(dyrelu_identity)
    .Inputs({"X"})
    .Outputs({"Y"})
    .SetKernelFn(PD_KERNEL(identity))
    .SetInferShapeFn(PD_INFER_SHAPE(shape_of_first))
    .SetInferDtypeFn(PD_INFER_DTYPE(type_of_first));

PD_BUILD_GRAD_OP(dyrelu_identity)
    .Inputs({paddle::Grad("Y")})
    .Outputs({paddle::Grad("X")})
    .SetKernelFn(PD_KERNEL(identity))
    .SetInferShapeFn(PD_INFER_SHAPE(shape_of_first))
    .SetInferDtypeFn(PD_INFER_DTYPE(type_of_first));
