// One channel of one sample: max_k(a_k * x + b_k) and its gradients. At ties the first k wins.
#pragma once

#include <limits>
#include <vector>

#include "shape.h"

namespace dyrelu {

// The affine functions of one sample's channels: K slopes of all, then K intercepts. The slopes hold alpha,
// (1, 0, ...), except where a map scales only what is added to it.
template <typename T>
class Coefficients {
  using V = Vector<T>;

 public:
  explicit Coefficients(const Shape& shape)
      : groups_(shape.groups()),
        k_(shape.k),
        per_channel_(shape.per_channel),
        added_by_pi_(shape.spatial == Spatial::kResidual || shape.spatial == Spatial::kSeed),
        values_(2 * shape.k * shape.groups()) {}

  void set(const T* deltas) {
    T* intercepts = values_.data() + k_ * groups_;
    for_vectors<T>(groups_, [&](Size i, Size count) {
      V check{};
      for (int k = 0; k < k_; ++k) {
        const V alpha = splat<T>(k == 0 && !added_by_pi_ ? 1 : 0);
        const V slope = alpha + T(kLambdaSlope) * load(deltas + k * groups_ + i, count);
        const V intercept = T(kLambdaIntercept) * load(deltas + (k_ + k) * groups_ + i, count);
        store(values_.data() + k * groups_ + i, slope, count);
        store(intercepts + k * groups_ + i, intercept, count);
        check += slope + intercept;
      }
      // A comparison with NaN is false: with the first function undefined the maximum is too.
      const V first = load(intercepts + i, count);
      store(intercepts + i, check == check ? first : splat<T>(std::numeric_limits<T>::quiet_NaN()), count);
    });
  }

  // The first slope of a channel; the others follow in steps of `stride`, and then the intercepts.
  const T* of(Size channel) const { return values_.data() + (per_channel_ ? channel : 0); }
  Size stride() const { return groups_; }

 private:
  Size groups_;
  int k_;
  bool per_channel_, added_by_pi_;
  std::vector<T> values_;
};

// The kinds of map that the loops are compiled for.
enum class Map { kNone, kAdded, kScaled };

// kStatic is K where it is known when compiling, else 0.
template <typename T, Map kMap, int kStatic>
class Channel {
  using V = Vector<T>;

 public:
  Channel(const T* coefficients, Size stride, int k, Size positions)
      : coefficients_(coefficients), stride_(stride), k_(k), positions_(positions) {
    for (int i = 0; i < 2 * kStatic; ++i) near_[i] = coefficients[i * stride];
  }

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

  // Adds to dpi, and gives K times the lanes of sum(g pi x m_k), the slopes' gradients, and then K times those of
  // sum(g pi m_k), the intercepts', every `apart` vectors.
  void sums(const T* x, const T* pi, const T* g, T* dpi, V* out, Size apart) const {
    V near[2 * kRoom] = {};  // stays in registers
    for (int i = 0; i < 2 * k_count(); ++i) out[i * apart] = V{};
    for_vectors<T>(positions_, [&](Size i, Size count) {
      const V value = load(x + i, count), upstream = load(g + i, count), map = mapped(pi, i, count);
      const Bits taken = chosen(value, map);
      const V weighted = kMap == Map::kNone ? upstream : upstream * map, times_x = weighted * value;
      V line{};
      for (int k = 0; k < k_count(); ++k) {
        const Bits mine = taken == k;
        (kStatic ? near[k] : out[k * apart]) += mine ? times_x : V{};
        (kStatic ? near[kRoom + k] : out[(k_ + k) * apart]) += mine ? weighted : V{};
        if (kMap != Map::kNone) line = mine ? slope(k) * value + intercept(k) : line;
      }
      if (kMap != Map::kNone) store(dpi + i, load(dpi + i, count) + upstream * line, count);
    });
    for (int i = 0; i < 2 * kStatic; ++i) out[i * apart] = near[i];
  }

  // dx = g * (slope of the one taken) + from_pool + dz * weight; gives sum(dz * x), the weight's gradient.
  T input_gradient(const T* x, const T* pi, const T* g, T from_pool, const T* dz, T weight, T* dx) const {
    V along{};
    for_vectors<T>(positions_, [&](Size i, Size count) {
      const V value = load(x + i, count), upstream = load(g + i, count), map = mapped(pi, i, count);
      const Bits taken = chosen(value, map);
      V steepness = splat<T>(slope(0));
      for (int k = 1; k < k_count(); ++k) steepness = taken == k ? splat<T>(slope(k)) : steepness;
      if (kMap != Map::kNone) steepness *= map;
      if (kMap == Map::kAdded) steepness += taken == 0 ? splat<T>(1) : V{};
      V result = upstream * steepness + from_pool;
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
  T slope(int k) const { return kStatic ? near_[k] : coefficients_[k * stride_]; }
  T intercept(int k) const { return kStatic ? near_[kStatic + k] : coefficients_[(k_ + k) * stride_]; }

  static V mapped(const T* pi, Size i, Size count) { return kMap == Map::kNone ? V{} : load(pi + i, count); }

  // A scaling map is left out: it moves no maximum, as it is not negative.
  V candidate(int k, V x, V pi) const {
    const V line = slope(k) * x + intercept(k);
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

  const T* coefficients_;
  Size stride_;
  T near_[2 * kRoom];
  int k_;
  Size positions_;
};

}  // namespace dyrelu
