// The layer where channels are innermost, as oneDNN's convolutions leave them: vectors run over channels, so
// nothing is summed across lanes and every lane has coefficients of its own.
#pragma once

#include <limits>

#include "spatial.h"

namespace dyrelu {

// `x` and `y` below begin at the first of a vector of channels of one sample.
template <typename T>
class ChannelVector {
  using V = Vector<T>;
  static constexpr Size kWide = kLanes<T>;

 public:
  explicit ChannelVector(const Shape& shape) : shape_(shape), step_(shape.step(kWide)) {}

  void pool(const T* x, T* pooled) const {
    double totals[kWide] = {};
    for (Size i = 0; i < shape_.positions;) {
      const Size end = std::min(i + kVectorsInARow, shape_.positions);
      V sums[4] = {};
      for (; i + 4 <= end; i += 4)
        for (int j = 0; j < 4; ++j) sums[j] += load(x + (i + j) * step_);
      for (; i < end; ++i) sums[0] += load(x + i * step_);
      const V sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
      for (Size lane = 0; lane < kWide; ++lane) totals[lane] += sum[lane];
    }
    for (Size lane = 0; lane < kWide; ++lane) pooled[lane] = static_cast<T>(totals[lane] / shape_.positions);
  }

  // z of the whole sample for positions [begin, end).
  void scores(const T* sample, const Weights<T>& w, T* z, Size begin, Size end) const {
    for (Size i = begin; i < end; ++i) {
      V sum{};
      for (Size c = 0; c < shape_.channels; c += kWide)
        sum += load(w.wz + c) * load(sample + shape_.start(c) + i * step_);
      z[i] = lane_sum<T>(sum) + w.bz[0];
    }
  }

  // `coefficients`: room for 2K vectors. `first`: the block's first channel.
  void apply(const T* x, const T* deltas, Size first, const T* pi, T* y, V* coefficients) const {
    set(deltas, first, coefficients);
    switch (shape_.spatial) {
      case Spatial::kNone: return apply_k<Spatial::kNone>(x, pi, y, coefficients);
      case Spatial::kPaper: return apply_k<Spatial::kPaper>(x, pi, y, coefficients);
      default: return apply_k<Spatial::kResidual>(x, pi, y, coefficients);
    }
  }

 private:
  void set(const T* deltas, Size first, V* coefficients) const {
    const int k_count = shape_.k;
    const bool added = shape_.spatial == Spatial::kResidual || shape_.spatial == Spatial::kSeed;
    V check{};
    for (int k = 0; k < 2 * k_count; ++k) {
      const T* at = deltas + k * shape_.groups();
      const V delta = shape_.per_channel ? load(at + first) : splat<T>(*at);
      coefficients[k] = k < k_count ? T(kLambdaSlope) * delta : T(kLambdaIntercept) * delta;
      check += coefficients[k];
    }
    if (!added) coefficients[0] += T(1);
    // As in Lines: an undefined coefficient makes the first function undefined, and with it the maximum.
    coefficients[k_count] = check == check ? coefficients[k_count] : splat<T>(std::numeric_limits<T>::quiet_NaN());
  }

  template <Spatial kSpatial>
  void apply_k(const T* x, const T* pi, T* y, const V* coefficients) const {
    if (shape_.k == 2) return apply_as<kSpatial, 2>(x, pi, y, coefficients);
    apply_as<kSpatial, 0>(x, pi, y, coefficients);
  }

  template <Spatial kSpatial, int kStatic>
  void apply_as(const T* x, const T* pi, T* y, const V* coefficients) const {
    const int k_count = kStatic ? kStatic : shape_.k;
    const V* intercepts = coefficients + k_count;
    for (Size i = 0; i < shape_.positions; ++i) {
      const V value = load(x + i * step_);
      V best{};
      for (int k = 0; k < k_count; ++k) {
        V line = coefficients[k] * value + intercepts[k];
        if (kSpatial == Spatial::kResidual) line = k == 0 ? value + pi[i] * line : pi[i] * line;
        if (k == 0) best = line;
        best = line > best ? line : best;
      }
      if (kSpatial == Spatial::kPaper) best *= pi[i];
      store(y + i * step_, best);
    }
  }

  Shape shape_;
  Size step_;
};

}  // namespace dyrelu
