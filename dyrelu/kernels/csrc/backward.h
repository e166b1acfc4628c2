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
    std::vector<T> pi, dpi, line_sums, dpool;
    Lines<T> lines;
    Room(const Shape& shape, bool mapped, Size block)
        : pi(mapped ? shape.positions : 0),
          dpi(mapped ? block * shape.positions : 0),
          line_sums(2 * shape.k),
          dpool(block * shape.channels),
          lines(shape.k) {}
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
    std::fill(raw, raw + shape.outputs, T(0));
    if (mapped()) std::fill(dpi, dpi + shape.positions, T(0));
    for (Size c = 0; c < shape.channels; ++c) {
      sums(n, c, dpi, room);
      for (int i = 0; i < 2 * shape.k; ++i)
        raw[i * shape.groups() + (shape.per_channel ? c : 0)] += room.line_sums[i];
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
    for (Size c = 0; c < shape.channels; ++c)
      for (Size r = 0; r < rows; ++r)
        room.dpool[r * shape.channels + c] =
            dot(w.w1 + c * shape.hidden, dhidden + r * shape.hidden, shape.hidden) / T(shape.positions);
  }

  void input_gradients(Size n, Size slot, Room& room) {
    const T* dz = mapped() ? room.dpi.data() + slot * shape.positions : nullptr;
    if (mapped()) {
      map_of(shape, shares + n * shape.positions, room.pi.data());
      dbz_[n] = static_cast<T>(
          sum_of<T>(shape.positions, [&](Size i, Size count) { return load(dz + i, count); }));
    }
    for (Size c = 0; c < shape.channels; ++c) {
      const T from_pool = room.dpool[slot * shape.channels + c];
      const T along = dispatch(n, c, room, [&](const auto& channel, Size at) {
        return channel.input_gradient(x + at, room.pi.data(), upstream + at, from_pool, dz,
                                      mapped() ? w.wz[c] : T(0), d.x + at);
      });
      if (mapped()) dwz_[n * shape.channels + c] = along;
    }
  }

  void sums(Size n, Size c, T* dpi, Room& room) {
    dispatch(n, c, room, [&](const auto& channel, Size at) {
      channel.sums(x + at, room.pi.data(), upstream + at, dpi, room.line_sums.data(),
                   room.line_sums.data() + shape.k);
      return T(0);
    });
  }

  template <typename Body>
  T dispatch(Size n, Size c, Room& room, Body&& body) {
    room.lines.set(shape, deltas + n * shape.outputs, c);
    const Size at = n * shape.map() + c * shape.positions;
    switch (shape.spatial) {
      case Spatial::kNone: return dispatch_k<Map::kNone>(room.lines, at, body);
      case Spatial::kPaper: return dispatch_k<Map::kScaled>(room.lines, at, body);
      default: return dispatch_k<Map::kAdded>(room.lines, at, body);
    }
  }

  template <Map kMap, typename Body>
  T dispatch_k(const Lines<T>& lines, Size at, Body&& body) {
    if (shape.k == 2) return body(Channel<T, kMap, 2>(lines, 2, shape.positions), at);
    return body(Channel<T, kMap, 0>(lines, shape.k, shape.positions), at);
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

  std::vector<T> hidden_, dhidden_, draw_, dwz_, dbz_;
};

}  // namespace dyrelu
