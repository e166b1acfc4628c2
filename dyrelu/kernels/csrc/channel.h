// One channel of one sample: max_k(a_k * x + b_k) and its gradients. At ties the first k wins.
#pragma once

#include <limits>
#include <vector>

#include "shape.h"

namespace dyrelu {

// The K affine functions of one channel. `alpha` is what pi leaves alone: (1, 0, ...) or, where a map scales
// everything or there is none, nothing, as the slopes then hold it.
template <typename T>
struct Lines {
  std::vector<T> slope, intercept;
  explicit Lines(int k) : slope(k), intercept(k) {}

  void set(const Shape& shape, const T* deltas, Size channel) {
    const Size stride = shape.groups(), at = shape.per_channel ? channel : 0;
    const bool added_by_pi = shape.spatial == Spatial::kResidual || shape.spatial == Spatial::kSeed;
    bool defined = true;
    for (int k = 0; k < shape.k; ++k) {
      const T alpha = k == 0 && !added_by_pi ? T(1) : T(0);
      slope[k] = alpha + T(kLambdaSlope) * deltas[k * stride + at];
      intercept[k] = T(kLambdaIntercept) * deltas[(shape.k + k) * stride + at];
      defined = defined && slope[k] == slope[k] && intercept[k] == intercept[k];
    }
    // A comparison with NaN is false: with the first function undefined the maximum is too.
    if (!defined) intercept[0] = std::numeric_limits<T>::quiet_NaN();
  }
};

// The kinds of map that the loops are compiled for.
enum class Map { kNone, kAdded, kScaled };

// kStatic is K where it is known when compiling, else 0.
template <typename T, Map kMap, int kStatic>
class Channel {
  using V = Vector<T>;

 public:
  Channel(const Lines<T>& lines, int k, Size positions)
      : a_(lines.slope.data()), b_(lines.intercept.data()), k_(k), positions_(positions) {}

  void forward(const T* x, const T* pi, T* y) const {
    for_vectors<T>(positions_, [&](Size i, Size count) {
      const V value = load(x + i, count), map = mapped(pi, i, count);
      V best = candidate(0, value, map);
      for (int k = 1; k < k_count(); ++k) {
        const V other = candidate(k, value, map);
        best = other > best ? other : best;
      }
      if (kMap == Map::kScaled) best *= map;
      store(y + i, best, count);
    });
  }

  // Adds to dpi, and gives sum(g pi x m_k) and sum(g pi m_k): the gradients of slopes and intercepts.
  void sums(const T* x, const T* pi, const T* g, T* dpi, T* dslope, T* dintercept) const {
    V in_slope[kRoom] = {}, in_intercept[kRoom] = {};
    std::vector<V> more(kStatic ? 0 : 2 * k_);  // any K
    V* slopes = kStatic ? in_slope : more.data();
    V* intercepts = kStatic ? in_intercept : more.data() + k_;
    for_vectors<T>(positions_, [&](Size i, Size count) {
      const V value = load(x + i, count), upstream = load(g + i, count), map = mapped(pi, i, count);
      const Bits taken = chosen(value, map);
      const V weighted = kMap == Map::kNone ? upstream : upstream * map, times_x = weighted * value;
      V line{};
      for (int k = 0; k < k_count(); ++k) {
        const Bits mine = taken == k;
        slopes[k] += mine ? times_x : V{};
        intercepts[k] += mine ? weighted : V{};
        if (kMap != Map::kNone) line = mine ? a_[k] * value + b_[k] : line;
      }
      if (kMap != Map::kNone) store(dpi + i, load(dpi + i, count) + upstream * line, count);
    });
    for (int k = 0; k < k_count(); ++k) {
      dslope[k] = lane_sum<T>(slopes[k]);
      dintercept[k] = lane_sum<T>(intercepts[k]);
    }
  }

  // dx = g * (slope of the one taken) + from_pool + dz * weight; gives sum(dz * x), the weight's gradient.
  T input_gradient(const T* x, const T* pi, const T* g, T from_pool, const T* dz, T weight, T* dx) const {
    V along{};
    for_vectors<T>(positions_, [&](Size i, Size count) {
      const V value = load(x + i, count), upstream = load(g + i, count), map = mapped(pi, i, count);
      const Bits taken = chosen(value, map);
      V slope = splat<T>(a_[0]);
      for (int k = 1; k < k_count(); ++k) slope = taken == k ? splat<T>(a_[k]) : slope;
      if (kMap != Map::kNone) slope *= map;
      if (kMap == Map::kAdded) slope += taken == 0 ? splat<T>(1) : V{};
      V result = upstream * slope + from_pool;
      if (kMap != Map::kNone) {
        const V score = load(dz + i, count);
        result += score * weight;
        along += score * value;
      }
      store(dx + i, result, count);
    });
    return lane_sum<T>(along);
  }

 private:
  using Bits = typename Traits<T>::Bits;
  static constexpr int kRoom = kStatic ? kStatic : 1;

  int k_count() const { return kStatic ? kStatic : k_; }

  static V mapped(const T* pi, Size i, Size count) { return kMap == Map::kNone ? V{} : load(pi + i, count); }

  // A scaling map is left out: it moves no maximum, as it is not negative.
  V candidate(int k, V x, V pi) const {
    const V line = a_[k] * x + b_[k];
    if (kMap != Map::kAdded) return line;
    return k == 0 ? x + pi * line : pi * line;
  }

  Bits chosen(V x, V pi) const {
    V best = candidate(0, x, pi);
    Bits taken{};
    for (int k = 1; k < k_count(); ++k) {
      const V other = candidate(k, x, pi);
      const Bits larger = other > best;
      taken = larger ? Bits{} + typename Traits<T>::Integer(k) : taken;
      best = larger ? other : best;
    }
    return taken;
  }

  const T *a_, *b_;
  int k_;
  Size positions_;
};

}  // namespace dyrelu
