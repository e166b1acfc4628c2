// DyReLU-C's map over positions: z = conv1x1(x), shares = softmax(z / tau), pi = min(gamma * shares, 1).
#pragma once

#include <algorithm>

#include "linear.h"
#include "shape.h"

namespace dyrelu {

template <typename T>
inline T gamma(const Shape& shape) {
  return static_cast<T>(shape.positions / kGammaDivisor);
}

// The lane sums of kCount channels, and their part of z, in one reading of x. Every sum runs in the order of
// `vector_sum` and of `scores`, so that its bits are theirs.
template <typename T, int kCount>
inline void sums_and_scores(const Shape& shape, const T* x, const T* wz, T* z, Vector<T>* sums) {
  constexpr Size lanes = kLanes<T>;
  Vector<T> parts[kCount][4] = {};
  const auto take = [&](Size i, Size count, int part) {
    Vector<T> score = load(z + i, count);
    for (int c = 0; c < kCount; ++c) {
      const Vector<T> value = load(x + c * shape.positions + i, count);
      score += wz[c] * value;
      parts[c][part] += value;
    }
    store(z + i, score, count);
  };
  Size i = 0;
  for (; i + 4 * lanes <= shape.positions; i += 4 * lanes)
    for (int part = 0; part < 4; ++part) take(i + part * lanes, lanes, part);
  for (; i + lanes <= shape.positions; i += lanes) take(i, lanes, 0);
  if (i < shape.positions) take(i, shape.positions - i, 1);
  for (int c = 0; c < kCount; ++c) sums[c] = (parts[c][0] + parts[c][1]) + (parts[c][2] + parts[c][3]);
}

// z[i] for i in [begin, end); each sum runs over the channels in order. `begin` is a multiple of the lanes.
template <typename T>
inline void scores(const Shape& shape, const T* x, const Weights<T>& w, T* z, Size begin, Size end) {
  std::fill(z + begin, z + end, w.bz[0]);
  for (Size c = 0; c < shape.channels; ++c) {
    const T* channel = x + c * shape.positions + begin;
    for_vectors<T>(end - begin, [&](Size i, Size count) {
      store(z + begin + i, load(z + begin + i, count) + w.wz[c] * load(channel + i, count), count);
    });
  }
}

// z becomes the shares of its softmax group, in place.
template <typename T>
inline void softmax(const Shape& shape, T* z) {
  const Size length = shape.softmax_length();
  const T by_tau = static_cast<T>(1 / shape.tau);
  for (T* group = z; group < z + shape.positions; group += length) {
    T largest = group[0];
    for (Size i = 1; i < length; ++i) largest = group[i] > largest ? group[i] : largest;
    for_vectors<T>(length, [&](Size i, Size count) {
      store(group + i, exponential<T>((load(group + i, count) - largest) * by_tau), count);
    });
    const double total = sum_of<T>(length, [&](Size i, Size count) { return load(group + i, count); });
    const T share = static_cast<T>(1 / total);
    for_vectors<T>(length, [&](Size i, Size count) { store(group + i, load(group + i, count) * share, count); });
  }
}

template <typename T>
inline void map_of(const Shape& shape, const T* shares, T* pi) {
  const T factor = gamma<T>(shape);
  for_vectors<T>(shape.positions, [&](Size i, Size count) {
    const Vector<T> scaled = load(shares + i, count) * factor;
    store(pi + i, scaled > T(1) ? splat<T>(1) : scaled, count);
  });
}

// dpi becomes dz, in place: nothing passes where pi is clipped; then gamma, the softmax and 1 / tau.
template <typename T>
inline void score_gradients(const Shape& shape, const T* shares, T* dpi) {
  const Size length = shape.softmax_length();
  const T factor = gamma<T>(shape), by_tau = static_cast<T>(1 / shape.tau);
  for (Size first = 0; first < shape.positions; first += length) {
    const T* share = shares + first;
    T* gradient = dpi + first;
    for_vectors<T>(length, [&](Size i, Size count) {
      const Vector<T> scaled = load(share + i, count) * factor;
      const Vector<T> passed = load(gradient + i, count) * factor;
      store(gradient + i, scaled > T(1) ? Vector<T>{} : passed, count);
    });
    const T mean = dot(share, gradient, length);
    for_vectors<T>(length, [&](Size i, Size count) {
      const Vector<T> moved = (load(gradient + i, count) - mean) * load(share + i, count);
      store(gradient + i, moved * by_tau, count);
    });
  }
}

}  // namespace dyrelu
