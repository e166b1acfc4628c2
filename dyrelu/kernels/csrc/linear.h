// The small matrix products of the hyper function and of its gradients. Every output is one sum taken in
// order, whatever the blocking, so blocks and threads do not change a bit.
#pragma once

#include "vector.h"

namespace dyrelu {

// out[r, o] = start[o] + sum_i a[r * row + i * step] * w[i * columns + o]; without `start`, 0.
template <typename T>
struct Product {
  const T* a;
  Size row, step;
  const T* w;
  Size columns, steps;
  const T* start;
  T* out;

  // All rows r in [first, last) and columns in [begin, end).
  void run(Size first, Size last, Size begin, Size end) const {
    constexpr Size lanes = kLanes<T>;
    const Size tiled = first + (last - first) / kFewest * kFewest, whole = begin + (end - begin) / lanes * lanes;
    Size o = begin;
    for (; tiled > first && o + 2 * lanes <= whole; o += 2 * lanes) rows<2, true>(first, tiled, o, lanes);
    for (; tiled > first && o < whole; o += lanes) rows<1, true>(first, tiled, o, lanes);
    for (Size r = tiled; r < last; ++r) streamed(r, begin, whole);
    if (whole < end) rows<1, false>(first, last, whole, end - whole);
  }

 private:
  static constexpr Size kFewest = 4;   // rows of the smallest tile that reads the weights in strides
  static constexpr int kStreams = 4;   // rows of the weights that are read at once where there are fewer

  // One row of `out`, with the weights read in the order in which they lie: of few rows, reading them is the work.
  void streamed(Size r, Size begin, Size end) const {
    T* to = out + r * columns;
    for (Size o = begin; o < end; ++o) to[o] = start == nullptr ? T(0) : start[o];
    Size i = 0;
    for (; i + kStreams <= steps; i += kStreams) together<kStreams>(to, r, i, begin, end);
    for (; i < steps; ++i) together<1>(to, r, i, begin, end);
  }

  template <int kRows>
  void together(T* to, Size r, Size i, Size begin, Size end) const {
    T factors[kRows];
    for (int j = 0; j < kRows; ++j) factors[j] = a[r * row + (i + j) * step];
    for (Size o = begin; o < end; o += kLanes<T>) {
      Vector<T> sum = load(to + o);
      for (int j = 0; j < kRows; ++j) sum += factors[j] * load(w + (i + j) * columns + o);
      store(to + o, sum);
    }
  }

  // kWhole: the vectors are full, which the innermost loop must not ask again and again.
  template <int kVectors, bool kWhole>
  void rows(Size first, Size last, Size o, Size count) const {
    Size r = first;
    for (; r + 8 <= last; r += 8) tile<8, kVectors, kWhole>(r, o, count);
    for (; r + 4 <= last; r += 4) tile<4, kVectors, kWhole>(r, o, count);
    for (; r < last; ++r) tile<1, kVectors, kWhole>(r, o, count);
  }

  template <int kRows, int kVectors, bool kWhole>
  void tile(Size r, Size o, Size left) const {
    constexpr Size lanes = kLanes<T>;
    const Size count = kWhole ? lanes : left;
    Vector<T> sums[kRows][kVectors];
    for (int v = 0; v < kVectors; ++v) {
      const Vector<T> from = start == nullptr ? Vector<T>{} : load(start + o + v * lanes, count);
      for (int i = 0; i < kRows; ++i) sums[i][v] = from;
    }
    for (Size i = 0; i < steps; ++i) {
      Vector<T> weights[kVectors];
      for (int v = 0; v < kVectors; ++v) weights[v] = load(w + i * columns + o + v * lanes, count);
      for (int j = 0; j < kRows; ++j) {
        const T factor = a[(r + j) * row + i * step];
        for (int v = 0; v < kVectors; ++v) sums[j][v] += factor * weights[v];
      }
    }
    for (int j = 0; j < kRows; ++j)
      for (int v = 0; v < kVectors; ++v) store(out + (r + j) * columns + o + v * lanes, sums[j][v], count);
  }
};

template <typename T>
inline T dot(const T* a, const T* b, Size size) {
  return static_cast<T>(
      sum_of<T>(size, [&](Size i, Size count) { return load(a + i, count) * load(b + i, count); }));
}

}  // namespace dyrelu
