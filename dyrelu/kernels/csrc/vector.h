// Vectors of 64 bytes as the compiler knows them (GNU vector extensions): it splits them where registers are
// narrower. Every element of an array, the last few too, goes through the same instructions, so that results
// do not depend on how the work was divided.
#pragma once

#include <cstdint>
#include <cstring>

namespace dyrelu {

using Size = std::int64_t;

constexpr int kVectorBytes = 64;

typedef float FloatVector __attribute__((vector_size(kVectorBytes)));
typedef double DoubleVector __attribute__((vector_size(kVectorBytes)));
typedef std::int32_t FloatBits __attribute__((vector_size(kVectorBytes)));
typedef std::int64_t DoubleBits __attribute__((vector_size(kVectorBytes)));

template <typename T>
struct Traits;

// `kTaylor`: the terms of exp's series on |r| <= ln(2)/2 that leave less than a rounding error.
// `kRound`: added and subtracted, it rounds to a whole number. ln(2) is split so that n * kLn2High is exact.
template <>
struct Traits<float> {
  using Vector = FloatVector;
  using Bits = FloatBits;
  using Integer = std::int32_t;
  static constexpr int kTaylor = 7, kMantissa = 23, kBias = 127;
  static constexpr float kRound = 12582912.0f, kSmallest = -87.0f, kLargest = 88.0f;
  static constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
};

template <>
struct Traits<double> {
  using Vector = DoubleVector;
  using Bits = DoubleBits;
  using Integer = std::int64_t;
  static constexpr int kTaylor = 13, kMantissa = 52, kBias = 1023;
  static constexpr double kRound = 6755399441055744.0, kSmallest = -708.0, kLargest = 709.0;
  static constexpr double kLn2High = 0.693145751953125, kLn2Low = 1.42860682030941723212e-6;
};

template <typename T>
using Vector = typename Traits<T>::Vector;

template <typename T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <typename T>
inline Vector<T> splat(T value) {
  return Vector<T>{} + value;
}

// The first `count` elements of a vector; the others are 0.
template <typename T>
inline Vector<T> load(const T* from, Size count = kLanes<T>) {
  Vector<T> result{};
  if (count >= kLanes<T>) {
    std::memcpy(&result, from, kVectorBytes);
    return result;
  }
  T lanes[kLanes<T>] = {};
  for (Size i = 0; i < count; ++i) lanes[i] = from[i];
  std::memcpy(&result, lanes, kVectorBytes);
  return result;
}

template <typename T>
inline void store(T* to, Vector<T> value, Size count = kLanes<T>) {
  if (count >= kLanes<T>) {
    std::memcpy(to, &value, kVectorBytes);
    return;
  }
  T lanes[kLanes<T>];
  std::memcpy(lanes, &value, kVectorBytes);
  for (Size i = 0; i < count; ++i) to[i] = lanes[i];
}

// Calls body(offset, count) for every vector of an array, the last perhaps shorter.
template <typename T, typename Body>
inline void for_vectors(Size size, Body&& body) {
  Size i = 0;
  for (; i + kLanes<T> <= size; i += kLanes<T>) body(i, static_cast<Size>(kLanes<T>));
  if (i < size) body(i, size - i);
}

// Pairwise, so that the order is fixed and the error small.
template <typename T>
inline T lane_sum(Vector<T> value) {
  using Bits = typename Traits<T>::Bits;
  for (int half = kLanes<T> / 2; half > 0; half /= 2) {
    Bits from;
    for (int i = 0; i < kLanes<T>; ++i) from[i] = (i + half) % kLanes<T>;
    value += __builtin_shuffle(value, from);
  }
  return value[0];
}

// Adds the halves of neighbouring vectors, or of their parts of 2 * kHalf lanes, which leaves half as many vectors.
template <typename T, int kHalf>
inline void fold(Vector<T>* values) {
  constexpr int lanes = kLanes<T>;
  typename Traits<T>::Bits low, high;
  for (int i = 0; i < lanes; ++i) {
    const int j = i % (lanes / 2), from = i < lanes / 2 ? 0 : lanes;
    low[i] = from + j / kHalf * 2 * kHalf + j % kHalf;
    high[i] = low[i] + kHalf;
  }
  for (int v = 0; v < kHalf; ++v)
    values[v] = __builtin_shuffle(values[2 * v], values[2 * v + 1], low) +
                __builtin_shuffle(values[2 * v], values[2 * v + 1], high);
  if constexpr (kHalf > 1) fold<T, kHalf / 2>(values);
}

// The lane sums of as many vectors as there are lanes, to the bit what `lane_sum` gives of each.
template <typename T>
inline Vector<T> lane_sums(Vector<T>* values) {
  fold<T, kLanes<T> / 2>(values);
  return values[0];
}

// Sums in float grow wrong by about the number of additions: after this many vectors they go to a double.
constexpr Size kVectorsInARow = 256;

// Where the vectors that may be summed in a row end; a rest of less than a vector belongs to the last row.
template <typename T>
inline Size row_end(Size begin, Size size) {
  return size - begin < (kVectorsInARow + 1) * kLanes<T> ? size : begin + kVectorsInARow * kLanes<T>;
}

// The lanes' sums of f over [begin, end), with `term(offset, count)` giving one vector of it. Four sums at once
// hide the additions' latency.
template <typename T, typename Term>
inline Vector<T> vector_sum(Size begin, Size end, Term&& term) {
  constexpr Size lanes = kLanes<T>;
  Vector<T> sums[4] = {};
  Size i = begin;
  for (; i + 4 * lanes <= end; i += 4 * lanes)
    for (int j = 0; j < 4; ++j) sums[j] += term(i + j * lanes, lanes);
  for (; i + lanes <= end; i += lanes) sums[0] += term(i, lanes);
  if (i < end) sums[1] += term(i, end - i);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// sum_i f(i).
template <typename T, typename Term>
inline double sum_of(Size size, Term&& term) {
  double total = 0;
  for (Size i = 0, end; i < size; i = end) {
    end = row_end<T>(i, size);
    total += lane_sum<T>(vector_sum<T>(i, end, term));
  }
  return total;
}

// e^x to about one rounding error: x = n * ln(2) + r, e^x = 2^n * sum_i r^i / i!. NaN gives NaN; beyond the
// range of T the result stays at the smallest and largest normal numbers' order.
template <typename T>
inline Vector<T> exponential(Vector<T> x) {
  using Limits = Traits<T>;
  using Bits = typename Limits::Bits;
  x = x < Limits::kSmallest ? splat<T>(Limits::kSmallest) : x;
  x = x > Limits::kLargest ? splat<T>(Limits::kLargest) : x;
  const T per_ln2 = static_cast<T>(1.4426950408889634074);
  const Vector<T> shifted = x * per_ln2 + Limits::kRound;
  const Vector<T> n = shifted - Limits::kRound;
  const Vector<T> r = (x - n * Limits::kLn2High) - n * Limits::kLn2Low;
  Vector<T> sum = splat<T>(1);
  for (int i = Limits::kTaylor; i > 0; --i) sum = sum * (r * (T(1) / T(i))) + T(1);
  Bits whole, rounder;
  const Vector<T> magic = splat<T>(Limits::kRound);
  std::memcpy(&whole, &shifted, kVectorBytes);
  std::memcpy(&rounder, &magic, kVectorBytes);
  const Bits bits = (whole - rounder + Limits::kBias) << Limits::kMantissa;
  Vector<T> scale;
  std::memcpy(&scale, &bits, kVectorBytes);
  return sum * scale;
}

}  // namespace dyrelu
