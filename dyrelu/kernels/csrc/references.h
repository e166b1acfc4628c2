// What the layer is measured against: a ReLU and a copy, with its vectors and its way of sharing out the work.
#pragma once

#include "forward.h"

namespace dyrelu {

// body(offset, count) for every vector of `size` elements, which lie in any order.
template <typename T, typename Body>
inline void for_elements(Size size, Body&& body) {
  Shape shape{};
  shape.samples = shape.channels = 1;
  shape.positions = size;
  const int threads = threads_for(shape);
  // As many elements as the layer takes at a time, or, of few, two turns for every thread.
  const Size fitting = kBlockBytes / Size(sizeof(T)), fair = (size + 2 * threads - 1) / (2 * threads);
  const Size block = (std::min(fitting, fair) + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
  Blocks blocks(size, block);
#pragma omp parallel num_threads(threads) if (threads > 1)
  blocks.each([&](Size first, Size last) {
    for_vectors<T>(last - first, [&](Size i, Size count) { body(first + i, count); });
  });
}

// Where the comparison is with NaN it is false, and NaN comes through.
template <typename T>
inline void relu(const T* x, T* y, Size size) {
  for_elements<T>(size, [=](Size i, Size count) {
    const Vector<T> value = load(x + i, count);
    store(y + i, value <= T(0) ? Vector<T>{} : value, count);
  });
}

// From the result, which is all that is kept.
template <typename T>
inline void relu_gradient(const T* y, const T* upstream, T* dx, Size size) {
  for_elements<T>(size, [=](Size i, Size count) {
    const Vector<T> gradient = load(upstream + i, count);
    store(dx + i, load(y + i, count) <= T(0) ? Vector<T>{} : gradient, count);
  });
}

template <typename T>
inline void copy(const T* x, T* y, Size size) {
  for_elements<T>(size, [=](Size i, Size count) { store(y + i, load(x + i, count), count); });
}

}  // namespace dyrelu
