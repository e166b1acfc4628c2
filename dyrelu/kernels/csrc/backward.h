// The backward pass. The function taken is found again from x. Samples are shared out to the threads; what is
// summed over samples is summed in their order, each output by one thread.
#pragma once

#include "forward.h"

namespace dyrelu {

template <typename T>
struct Gradients {
  T *x, *w1, *b1, *w2, *b2, *wz, *bz;
};

template <typename T>
class Backward {
 public:
  Shape shape;
  Weights<T> w;
  const T *x, *pooled, *deltas, *shares, *upstream;
  Gradients<T> d;

  void run() {
    const int threads = threads_for(shape);
    hidden_.resize(shape.samples * shape.hidden);
    dhidden_.resize(shape.samples * shape.hidden);
    draw_.resize(shape.samples * shape.outputs);
    if (mapped()) dwz_.resize(shape.samples * shape.channels);
    if (mapped()) dbz_.resize(shape.samples);
    w1_turned_.resize(shape.hidden * shape.channels);
    for (Size c = 0; c < shape.channels; ++c)
      for (Size j = 0; j < shape.hidden; ++j) w1_turned_[j * shape.channels + c] = w.w1[c * shape.hidden + j];
    // Two reads of x and of the upstream gradient share the cache with the result.
    const Size block = std::max<Size>(1, block_of<T>(shape, threads) / 2);
    Blocks blocks(shape.samples, block);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
      of_samples(blocks, block);
#pragma omp barrier
      of_weights();
    }
  }

 private:
  bool mapped() const { return shape.spatial != Spatial::kNone; }

  // What one thread works with.
  struct Room {
    std::vector<T> pi, dpi, dpool;
    std::vector<Vector<T>> sums;
    Coefficients<T> coefficients;
    Room(const Shape& shape, bool mapped, Size block)
        : pi(mapped ? shape.positions : 0),
          dpi(mapped ? block * shape.positions : 0),
          dpool(block * shape.channels),
          sums(2 * shape.k * kLanes<T>),
          coefficients(shape) {}
  };

  void of_samples(Blocks& blocks, Size block) {
    Room room(shape, mapped(), block);
    blocks.each([&](Size first, Size last) {
      for (Size n = first; n < last; ++n) coefficient_gradients(n, n - first, room);
      hyper_gradients(first, last, room);
      for (Size n = first; n < last; ++n) input_gradients(n, n - first, room);
    });
  }

  // draw: the loss by the last Linear's outputs; 2 * sigmoid - 1 has the derivative (1 - delta^2) / 2.
  void coefficient_gradients(Size n, Size slot, Room& room) {
    T* raw = draw_.data() + n * shape.outputs;
    const T* delta = deltas + n * shape.outputs;
    T* dpi = mapped() ? room.dpi.data() + slot * shape.positions : nullptr;
    if (mapped()) map_of(shape, shares + n * shape.positions, room.pi.data());
    if (!shape.per_channel) std::fill(raw, raw + shape.outputs, T(0));
    if (mapped()) std::fill(dpi, dpi + shape.positions, T(0));
    room.coefficients.set(delta);
    constexpr Size lanes = kLanes<T>;
    for (Size c = 0; c < shape.channels; c += lanes) {
      const Size count = std::min<Size>(lanes, shape.channels - c);
      if (count < lanes) std::fill(room.sums.begin(), room.sums.end(), Vector<T>{});
      dispatch(n, c, count, room, [&](const auto& channel, Size at, Size i) {
        channel.sums(x + at, room.pi.data(), upstream + at, dpi, room.sums.data() + i, lanes);
      });
      for (int i = 0; i < 2 * shape.k; ++i) {
        const Vector<T> of_channels = lane_sums<T>(room.sums.data() + i * lanes);
        if (shape.per_channel) store(raw + i * shape.channels + c, of_channels, count);
        else raw[i] += lane_sum<T>(of_channels);
      }
    }
    const Size slopes = shape.k * shape.groups();
    for (Size o = 0; o < shape.outputs; ++o) {
      const T reach = T(o < slopes ? kLambdaSlope : kLambdaIntercept);
      raw[o] *= reach * (T(1) - delta[o] * delta[o]) * T(0.5);
    }
    if (mapped()) score_gradients(shape, shares + n * shape.positions, dpi);
  }

  void hyper_gradients(Size first, Size last, Room& room) {
    const Size rows = last - first;
    T* hidden = hidden_.data() + first * shape.hidden;
    T* dhidden = dhidden_.data() + first * shape.hidden;
    const Product<T> product{pooled + first * shape.channels, shape.channels, 1, w.w1, shape.hidden,
                             shape.channels, w.b1, hidden};
    product.run(0, rows, 0, shape.hidden);
    for (Size j = 0; j < shape.hidden; ++j) {
      for (Size r = 0; r < rows; ++r) {
        T& unit = hidden[r * shape.hidden + j];
        const bool on = unit > 0;
        unit = on ? unit : 0;
        const T* raw = draw_.data() + (first + r) * shape.outputs;
        dhidden[r * shape.hidden + j] = on ? dot(w.w2 + j * shape.outputs, raw, shape.outputs) : T(0);
      }
    }
    Product<T>{dhidden, shape.hidden, 1, w1_turned_.data(), shape.channels, shape.hidden, nullptr, room.dpool.data()}
        .run(0, rows, 0, shape.channels);
  }

  void input_gradients(Size n, Size slot, Room& room) {
    const T* dz = mapped() ? room.dpi.data() + slot * shape.positions : nullptr;
    if (mapped()) {
      map_of(shape, shares + n * shape.positions, room.pi.data());
      dbz_[n] = static_cast<T>(
          sum_of<T>(shape.positions, [&](Size i, Size count) { return load(dz + i, count); }));
    }
    room.coefficients.set(deltas + n * shape.outputs);
    dispatch(n, 0, shape.channels, room, [&](const auto& channel, Size at, Size c) {
      const T from_pool = room.dpool[slot * shape.channels + c] / T(shape.positions);
      const T along = channel.input_gradient(x + at, room.pi.data(), upstream + at, from_pool, dz,
                                             mapped() ? w.wz[c] : T(0), d.x + at);
      if (mapped()) dwz_[n * shape.channels + c] = along;
    });
  }

  // Calls body(channel, where it begins, i) for the `count` channels from `first`.
  template <typename Body>
  void dispatch(Size n, Size first, Size count, const Room& room, Body&& body) {
    switch (shape.spatial) {
      case Spatial::kNone: return dispatch_k<Map::kNone>(n, first, count, room, body);
      case Spatial::kPaper: return dispatch_k<Map::kScaled>(n, first, count, room, body);
      default: return dispatch_k<Map::kAdded>(n, first, count, room, body);
    }
  }

  template <Map kMap, typename Body>
  void dispatch_k(Size n, Size first, Size count, const Room& room, Body&& body) {
    if (shape.k == 2) return dispatch_as<kMap, 2>(n, first, count, room, body);
    dispatch_as<kMap, 0>(n, first, count, room, body);
  }

  template <Map kMap, int kStatic, typename Body>
  void dispatch_as(Size n, Size first, Size count, const Room& room, Body&& body) {
    const auto& coefficients = room.coefficients;
    for (Size i = 0; i < count; ++i) {
      const Channel<T, kMap, kStatic> channel(coefficients.of(first + i), coefficients.stride(), shape.k,
                                              shape.positions);
      body(channel, n * shape.map() + (first + i) * shape.positions, i);
    }
  }

  void of_weights() {
    sum_over_samples(pooled, shape.channels, dhidden_.data(), shape.hidden, d.w1);
    sum_over_samples(hidden_.data(), shape.hidden, draw_.data(), shape.outputs, d.w2);
    const T one = 1;
#pragma omp single nowait
    {
      Product<T>{&one, 0, 0, dhidden_.data(), shape.hidden, shape.samples, nullptr, d.b1}.run(0, 1, 0, shape.hidden);
      Product<T>{&one, 0, 0, draw_.data(), shape.outputs, shape.samples, nullptr, d.b2}.run(0, 1, 0, shape.outputs);
      if (mapped()) {
        Product<T>{&one, 0, 0, dwz_.data(), shape.channels, shape.samples, nullptr, d.wz}.run(0, 1, 0, shape.channels);
        Product<T>{&one, 0, 0, dbz_.data(), 1, shape.samples, nullptr, d.bz}.run(0, 1, 0, 1);
      }
    }
  }

  // out[i, o] = sum_n a[n, i] * g[n, o], four rows of it a thread at a time.
  void sum_over_samples(const T* a, Size rows, const T* g, Size columns, T* out) {
    const Product<T> product{a, 1, rows, g, columns, shape.samples, nullptr, out};
#pragma omp for schedule(static)
    for (Size r = 0; r < rows; r += 4) product.run(r, std::min(r + 4, rows), 0, columns);
  }

  std::vector<T> hidden_, dhidden_, draw_, dwz_, dbz_, w1_turned_;
};

}  // namespace dyrelu
