// The forward pass: pool, hyper function, map, apply. Where there are samples enough, each is read from memory
// once and applied to while it is in the cache; else the threads share out channels, columns and positions.
#pragma once

#include <omp.h>

#include <atomic>

#include "channel_vector.h"
#include "channel.h"
#include "spatial.h"

namespace dyrelu {

// Threads take the next block of samples themselves: for OpenMP's dynamic loops the compiler asks for functions
// that Intel's runtime, Paddle's, lacks. A second runtime would supply them, and give every thread every block.
class Blocks {
 public:
  Blocks(Size samples, Size block) : samples_(samples), block_(block) {}

  template <typename Body>
  void each(Body&& body) {
    for (Size first; (first = next_.fetch_add(block_)) < samples_;) body(first, std::min(first + block_, samples_));
  }

 private:
  Size samples_, block_;
  std::atomic<Size> next_{0};
};

constexpr Size kBlockBytes = 512 * 1024;   // what leaves room in a level-2 cache of 1 MiB for the result
constexpr Size kLargestBlock = 16;         // samples; more no longer save reading the weights
constexpr Size kWorthThreads = 32 * 1024;  // elements and weights; below, waking threads costs more than they do

inline int threads_for(const Shape& shape) {
  const Size weights = shape.hidden * (shape.channels + shape.outputs);
  return shape.samples * (shape.map() + weights) < kWorthThreads ? 1 : omp_get_max_threads();
}

// Samples that are worked on together, so that the Linears' weights are read once for all of them.
template <typename T>
inline Size block_of(const Shape& shape, int threads) {
  const Size fitting = kBlockBytes / std::max<Size>(1, shape.map() * Size(sizeof(T)));
  const Size fair = (shape.samples + 2 * threads - 1) / (2 * threads);
  return std::max<Size>(1, std::min({fitting, fair, kLargestBlock}));
}

template <typename T>
class Forward {
 public:
  Shape shape;
  Weights<T> w;
  const T* x;
  T *y, *pooled, *deltas, *shares;

  void run() const {
    const int threads = threads_for(shape);
    if (threads == 1 || shape.samples >= 2 * threads || shape.samples % threads == 0) {
      by_samples(threads);
    } else {
      by_channels(threads);
    }
  }

 private:
  bool mapped() const { return shape.spatial != Spatial::kNone; }

  void by_samples(int threads) const {
    const Size block = block_of<T>(shape, threads);
    Blocks blocks(shape.samples, block);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
      std::vector<T> hidden(block * shape.hidden), pi(mapped() ? shape.positions : 0);
      Room room(shape);
      blocks.each([&](Size first, Size last) {
        for (Size n = first; n < last; ++n) {
          if (!mapped()) {
            pool(n, 0, shape.channels);
          } else {
            pool_and_score(n);
            softmax(shape, shares + n * shape.positions);
          }
        }
        hyper_hidden(first, last, hidden.data(), 0, shape.hidden);
        hyper_deltas(first, last, hidden.data(), 0, shape.outputs);
        for (Size n = first; n < last; ++n) {
          if (mapped()) map_of(shape, shares + n * shape.positions, pi.data());
          apply(n, 0, shape.channels, pi.data(), room);
        }
      });
    }
  }

  void by_channels(int threads) const {
    constexpr Size tile = 4 * kLanes<T>;
    std::vector<T> hidden(shape.samples * shape.hidden), pi(mapped() ? shape.samples * shape.positions : 0);
    const Size share = channels_of_a_share(threads), shares_of_one = (shape.channels + share - 1) / share;
    const Size all = shape.samples * shares_of_one;
    const auto each = [&](Size i, auto&& body) {
      const Size first = i % shares_of_one * share;
      body(i / shares_of_one, first, std::min(first + share, shape.channels));
    };
#pragma omp parallel num_threads(threads)
    {
      Room room(shape);
#pragma omp for schedule(static)
      for (Size i = 0; i < all; ++i) each(i, [&](Size n, Size first, Size last) { pool(n, first, last); });
      for (Size n = 0; mapped() && n < shape.samples; ++n)
#pragma omp for schedule(static)
        for (Size i = 0; i < shape.positions; i += tile)
          score(n, i, std::min(i + tile, shape.positions));
#pragma omp for schedule(static) nowait
      for (Size n = 0; n < (mapped() ? shape.samples : 0); ++n) {
        softmax(shape, shares + n * shape.positions);
        map_of(shape, shares + n * shape.positions, pi.data() + n * shape.positions);
      }
      const auto own = [&](Size columns, auto&& body) {
        // The team may be smaller than what was asked for: OMP_THREAD_LIMIT, or a caller that is parallel itself.
        const Size tiles = (columns + kLanes<T> - 1) / kLanes<T>;
        const Size team = omp_get_num_threads(), me = omp_get_thread_num();
        const Size first = tiles * me / team * kLanes<T>, last = tiles * (me + 1) / team * kLanes<T>;
        if (first < columns) body(first, std::min(last, columns));
      };
      own(shape.hidden, [&](Size first, Size last) { hyper_hidden(0, shape.samples, hidden.data(), first, last); });
#pragma omp barrier
      own(shape.outputs, [&](Size first, Size last) { hyper_deltas(0, shape.samples, hidden.data(), first, last); });
#pragma omp barrier
#pragma omp for schedule(static)
      for (Size i = 0; i < all; ++i)
        each(i, [&](Size n, Size first, Size last) {
          apply(n, first, last, mapped() ? pi.data() + n * shape.positions : nullptr, room);
        });
    }
  }

  // What a thread keeps coefficients in.
  struct Room {
    Coefficients<T> coefficients;
    std::vector<Vector<T>> vectors;
    explicit Room(const Shape& shape) : coefficients(shape), vectors(2 * shape.k) {}
  };

  Size unit() const { return shape.unit(kLanes<T>); }
  Size offset(Size n, Size c) const { return n * shape.map() + shape.start(c); }

  // A vector's worth of channels, or as few as leave every thread two shares.
  Size channels_of_a_share(int threads) const {
    return std::max(unit(), std::min<Size>(kLanes<T>, shape.channels / (2 * threads)));
  }

  // The means of channels [c, end).
  void pool(Size n, Size c, Size end) const {
    T* to = pooled + n * shape.channels;
    const auto lanes_of = [&](Size channel, Size from, Size until) {
      const T* start = x + offset(n, channel);
      return vector_sum<T>(from, until, [&](Size i, Size count) { return load(start + i, count); });
    };
    if (shape.channels_innermost()) {
      for (; c < end; c += unit()) ChannelVector<T>(shape).pool(x + offset(n, c), to + c);
      return;
    }
    const bool one_row = row_end<T>(0, shape.positions) == shape.positions;
    for (; one_row && c + kLanes<T> <= end; c += kLanes<T>) {
      Vector<T> sums[kLanes<T>];
      for (Size i = 0; i < kLanes<T>; ++i) sums[i] = lanes_of(c + i, 0, shape.positions);
      store(to + c, lane_sums<T>(sums) / T(shape.positions));
    }
    for (; c < end; ++c) {
      const T* from = x + offset(n, c);
      const double sum = sum_of<T>(shape.positions, [&](Size i, Size count) { return load(from + i, count); });
      to[c] = static_cast<T>(sum / shape.positions);
    }
  }

  // Both for a whole sample.
  void pool_and_score(Size n) const {
    constexpr int lanes = kLanes<T>, together = 4;
    const bool one_row = row_end<T>(0, shape.positions) == shape.positions;
    if (shape.channels_innermost() || !one_row || shape.channels % lanes != 0) {
      pool(n, 0, shape.channels);
      return score(n, 0, shape.positions);
    }
    T* z = shares + n * shape.positions;
    std::fill(z, z + shape.positions, w.bz[0]);
    for (Size c = 0; c < shape.channels; c += lanes) {
      Vector<T> sums[lanes];
      for (int i = 0; i < lanes; i += together)
        sums_and_scores<T, together>(shape, x + offset(n, c + i), w.wz + c + i, z, sums + i);
      store(pooled + n * shape.channels + c, lane_sums<T>(sums) / T(shape.positions));
    }
  }

  void score(Size n, Size begin, Size end) const {
    T* z = shares + n * shape.positions;
    if (shape.channels_innermost()) return ChannelVector<T>(shape).scores(x + n * shape.map(), w, z, begin, end);
    scores(shape, x + n * shape.map(), w, z, begin, end);
  }

  void hyper_hidden(Size first, Size last, T* hidden, Size begin, Size end) const {
    const Product<T> product{pooled + first * shape.channels, shape.channels, 1, w.w1, shape.hidden,
                             shape.channels, w.b1, hidden};
    product.run(0, last - first, begin, end);
    // As Paddle's ReLU does, this turns NaN into 0; the input's own NaN comes through where it stands.
    for (Size n = 0; n < last - first; ++n)
      for (Size i = begin; i < end; ++i) {
        T& value = hidden[n * shape.hidden + i];
        value = value > 0 ? value : 0;
      }
  }

  void hyper_deltas(Size first, Size last, const T* hidden, Size begin, Size end) const {
    T* out = deltas + first * shape.outputs;
    const Product<T> product{hidden, shape.hidden, 1, w.w2, shape.outputs, shape.hidden, w.b2, out};
    product.run(0, last - first, begin, end);
    for (Size n = 0; n < last - first; ++n) {
      T* row = out + n * shape.outputs + begin;
      for_vectors<T>(end - begin, [&](Size i, Size count) {
        const Vector<T> power = exponential<T>(-load(row + i, count));
        store(row + i, T(2) / (T(1) + power) - T(1), count);
      });
    }
  }

  void apply(Size n, Size c, Size end, const T* pi, Room& room) const {
    const T* own = deltas + n * shape.outputs;
    if (shape.channels_innermost()) {
      for (; c < end; c += unit()) {
        const Size at = offset(n, c);
        ChannelVector<T>(shape).apply(x + at, own, c, pi, y + at, room.vectors.data());
      }
      return;
    }
    room.coefficients.set(own);
    switch (shape.spatial) {
      case Spatial::kNone: return apply_k<Map::kNone>(room.coefficients, n, c, end, pi);
      case Spatial::kPaper: return apply_k<Map::kScaled>(room.coefficients, n, c, end, pi);
      default: return apply_k<Map::kAdded>(room.coefficients, n, c, end, pi);
    }
  }

  template <Map kMap>
  void apply_k(const Coefficients<T>& coefficients, Size n, Size c, Size end, const T* pi) const {
    if (shape.k == 2) return apply_as<kMap, 2>(coefficients, n, c, end, pi);
    apply_as<kMap, 0>(coefficients, n, c, end, pi);
  }

  template <Map kMap, int kStatic>
  void apply_as(const Coefficients<T>& coefficients, Size n, Size c, Size end, const T* pi) const {
    for (; c < end; ++c) {
      const Size at = offset(n, c);
      Channel<T, kMap, kStatic>(coefficients.of(c), coefficients.stride(), shape.k, shape.positions)
          .forward(x + at, pi, y + at);
    }
  }
};

}  // namespace dyrelu
