// The layer for Paddle's tensors: their shapes checked, their layouts seen to, their memory handed to the passes.
#pragma once

#include "backward.h"
#include "onednn.h"
#include "paddle/extension.h"

namespace dyrelu {

using paddle::Tensor;
using Sizes = std::vector<std::int64_t>;

inline Shape shape_of(const Tensor& x, const Tensor& w1, const Tensor& w2, int k) {
  const auto axes = x.shape();
  PD_CHECK(axes.size() >= 3, "x needs the axes (N, C, ...) and at least one more.");
  PD_CHECK(x.is_cpu(), "this operator runs on the CPU alone: move x there or take the plain formulation.");
  PD_CHECK(w1.shape().size() == 2 && w2.shape().size() == 2, "the Linears' weights need two axes.");
  Shape shape{};
  shape.samples = axes[0];
  shape.channels = axes[1];
  shape.positions = 1;
  for (std::size_t i = 2; i < axes.size(); ++i) shape.positions *= axes[i];
  shape.last_axis = axes.back();
  shape.hidden = w1.shape()[1];
  shape.outputs = w2.shape()[1];
  shape.k = k;
  shape.per_channel = shape.outputs == 2 * k * shape.channels;
  shape.spatial = Spatial::kNone;
  PD_CHECK(k >= 2, "k must be at least 2.");
  PD_CHECK(w1.shape()[0] == shape.channels && w2.shape()[0] == shape.hidden, "the weights do not fit x.");
  PD_CHECK(shape.per_channel || shape.outputs == 2 * k, "the last Linear must give 2k or 2kC outputs.");
  return shape;
}

inline Shape shape_of(const Tensor& x, const Tensor& w1, const Tensor& w2, int k, int spatial, float tau) {
  auto shape = shape_of(x, w1, w2, k);
  shape.spatial = static_cast<Spatial>(spatial);
  shape.tau = tau;
  PD_CHECK(shape.outputs == 2 * k * shape.channels, "a map needs 2kC outputs of the last Linear.");
  PD_CHECK(spatial >= 1 && spatial <= 3, "the map is 1 (residual), 2 (seed) or 3 (paper).");
  return shape;
}

// `p`: both Linears' weights and biases and, with a map, its convolution's.
inline void check_sizes(const Shape& shape, const std::vector<Tensor>& p) {
  bool fits = p[1].numel() == shape.hidden && p[3].numel() == shape.outputs;
  if (p.size() > 4) fits = fits && p[4].numel() == shape.channels && p[5].numel() == 1;
  PD_CHECK(fits, "the biases or the map's weights do not fit x.");
  for (const auto& tensor : p) PD_CHECK(tensor.dtype() == p[0].dtype(), "all weights must be of one type.");
}

template <typename T>
Weights<T> weights(const Tensor& w1, const Tensor& b1, const Tensor& w2, const Tensor& b2) {
  return {w1.data<T>(), b1.data<T>(), w2.data<T>(), b2.data<T>(), nullptr, nullptr};
}

inline Tensor like(const Tensor& x, const Sizes& sizes) { return paddle::empty(sizes, x.dtype(), x.place()); }

// An empty batch moves no weight, and an empty map is nothing to pool over.
inline bool nothing(const Shape& shape) { return shape.samples == 0 || shape.map() == 0; }

template <typename Body>
void with_type(const Tensor& x, Body&& body) {
  if (x.dtype() == paddle::DataType::FLOAT32) return body(float{});
  PD_CHECK(x.dtype() == paddle::DataType::FLOAT64, "x must be float32 or float64.");
  body(double{});
}

// What only the backward pass reads, where there will be none. It stays with the thread: memory that comes and goes
// between the large results would scatter them over the heap, and each call would then meet new pages.
template <typename T>
T* scratch(Size size) {
  static thread_local std::vector<T> room;
  if (static_cast<Size>(room.size()) < size) room.resize(size);
  return room.data();
}

// The result, and with `keep` what the backward pass reads: pooled, deltas and, with a map, its shares.
inline std::vector<Tensor> forward(Shape shape, const Tensor& given, const std::vector<Tensor>& p, bool keep) {
  check_sizes(shape, p);
  const bool mapped = shape.spatial != Spatial::kNone;
  const bool foreign = is_onednn(given);
  if (foreign) shape.order = order_of(given);
  const Tensor x = foreign && !shape.channels_innermost() ? reordered(given) : given;
  const Sizes rows{shape.channels, shape.outputs, mapped ? shape.positions : 0};
  std::vector<Tensor> out{shape.channels_innermost() ? same_layout(x, x.numel()) : like(x, x.shape())};
  for (std::size_t i = 0; keep && i < (mapped ? 3 : 2); ++i) out.push_back(like(x, {shape.samples, rows[i]}));
  if (nothing(shape)) {
    for (auto& tensor : out) tensor = paddle::zeros(tensor.shape(), x.dtype(), x.place());
    return out;
  }
  with_type(x, [&](auto zero) {
    using T = decltype(zero);
    auto w = weights<T>(p[0], p[1], p[2], p[3]);
    if (mapped) w.wz = p[4].data<T>();
    if (mapped) w.bz = p[5].data<T>();
    T* room = keep ? nullptr : scratch<T>(shape.samples * (rows[0] + rows[1] + rows[2]));
    T* pooled = keep ? out[1].data<T>() : room;
    T* deltas = keep ? out[2].data<T>() : room + shape.samples * rows[0];
    T* shares = !mapped ? nullptr : keep ? out[3].data<T>() : room + shape.samples * (rows[0] + rows[1]);
    Forward<T>{shape, w, x.data<T>(), out[0].data<T>(), pooled, deltas, shares}.run();
  });
  return out;
}

// `saved`: pooled, deltas and, with a map, its shares.
inline std::vector<Tensor> backward(const Shape& shape, const Tensor& given, const std::vector<Tensor>& p,
                             const std::vector<Tensor>& saved, const Tensor& given_upstream) {
  const Tensor x = in_order(given), upstream = in_order(given_upstream);
  const bool mapped = shape.spatial != Spatial::kNone;
  std::vector<Tensor> out{like(x, x.shape())};
  for (const auto& tensor : p) out.push_back(like(x, tensor.shape()));
  if (nothing(shape)) {
    for (auto& tensor : out) tensor = paddle::zeros(tensor.shape(), x.dtype(), x.place());
    return out;
  }
  with_type(x, [&](auto zero) {
    using T = decltype(zero);
    Backward<T> pass;
    pass.shape = shape;
    pass.w = weights<T>(p[0], p[1], p[2], p[3]);
    pass.x = x.data<T>();
    pass.pooled = saved[0].data<T>();
    pass.deltas = saved[1].data<T>();
    pass.upstream = upstream.data<T>();
    pass.d = {out[0].data<T>(), out[1].data<T>(), out[2].data<T>(), out[3].data<T>(), out[4].data<T>()};
    if (mapped) {
      pass.w.wz = p[4].data<T>();
      pass.w.bz = p[5].data<T>();
      pass.shares = saved[2].data<T>();
      pass.d.wz = out[5].data<T>();
      pass.d.bz = out[6].data<T>();
    }
    pass.run();
  });
  return out;
}

// As `backward`, of a forward pass that kept nothing.
inline std::vector<Tensor> computed_again(const Shape& shape, const Tensor& given, const std::vector<Tensor>& p,
                                   const Tensor& upstream) {
  const Tensor x = in_order(given);
  auto saved = forward(shape, x, p, true);
  saved.erase(saved.begin());
  return backward(shape, x, p, saved, upstream);
}

}  // namespace dyrelu
