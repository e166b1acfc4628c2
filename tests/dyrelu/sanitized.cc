// Both passes on awkward shapes, in buffers of exactly the right size, for a build with sanitizers.
#include <cstdio>
#include <random>

#include "backward.h"
#include "references.h"

namespace {

template <typename T>
std::vector<T> numbers(dyrelu::Size size) {
  static std::mt19937 random(1);
  std::normal_distribution<T> normal;
  std::vector<T> out(size);
  for (T& value : out) value = normal(random);
  return out;
}

template <typename T>
void both_passes(const dyrelu::Shape& s) {
  const auto x = numbers<T>(s.samples * s.map()), dy = x;
  const auto w1 = numbers<T>(s.channels * s.hidden), b1 = numbers<T>(s.hidden);
  const auto w2 = numbers<T>(s.hidden * s.outputs), b2 = numbers<T>(s.outputs);
  const auto wz = numbers<T>(s.channels), bz = numbers<T>(1);
  std::vector<T> y(x.size()), pooled(s.samples * s.channels), deltas(s.samples * s.outputs);
  std::vector<T> shares(s.samples * s.positions);
  const dyrelu::Weights<T> w{w1.data(), b1.data(), w2.data(), b2.data(), wz.data(), bz.data()};
  dyrelu::Forward<T>{s, w, x.data(), y.data(), pooled.data(), deltas.data(), shares.data()}.run();
  if (s.channels % dyrelu::kLanes<T> == 0) {
    for (auto order : {dyrelu::Order::kBlocked, dyrelu::Order::kChannelLast}) {
      auto other = s;
      other.order = order;
      dyrelu::Forward<T>{other, w, x.data(), y.data(), pooled.data(), deltas.data(), shares.data()}.run();
    }
  }

  std::vector<T> dx(x.size()), dw1(w1.size()), db1(b1.size()), dw2(w2.size()), db2(b2.size());
  std::vector<T> dwz(wz.size()), dbz(1);
  dyrelu::Backward<T> pass;
  pass.shape = s;
  pass.w = w;
  pass.x = x.data();
  pass.pooled = pooled.data();
  pass.deltas = deltas.data();
  pass.shares = shares.data();
  pass.upstream = dy.data();
  pass.d = {dx.data(), dw1.data(), db1.data(), dw2.data(), db2.data(), dwz.data(), dbz.data()};
  pass.run();
}

template <typename T>
void references(dyrelu::Size size) {
  const auto x = numbers<T>(size), upstream = x;
  std::vector<T> y(size), dx(size);
  dyrelu::relu(x.data(), y.data(), size);
  dyrelu::relu_gradient(y.data(), upstream.data(), dx.data(), size);
  dyrelu::copy(x.data(), y.data(), size);
}

}  // namespace

int main() {
  using dyrelu::Spatial;
  const dyrelu::Size sizes[][4] = {{3, 5, 63, 9},  {1, 3, 4, 4},     {4, 19, 1, 1},    {2, 16, 256, 16},
                                   {1, 48, 3136, 56}, {17, 18, 342, 19}, {3, 64, 576, 24}, {2, 3, 1100, 1100}};
  for (const auto& size : sizes)
    for (int k : {2, 3, 5})
      for (auto spatial : {Spatial::kNone, Spatial::kResidual, Spatial::kSeed, Spatial::kPaper})
        for (bool per_channel : {true, false}) {
          if (!per_channel && spatial != Spatial::kNone) continue;
          const dyrelu::Size hidden = size[1] / 2 + 1, outputs = 2 * k * (per_channel ? size[1] : 1);
          const dyrelu::Shape shape{size[0], size[1], size[2], size[3], hidden,
                                    outputs, k,       per_channel, spatial, 0.5};
          both_passes<float>(shape);
          both_passes<double>(shape);
        }
  for (dyrelu::Size size : {1, 7, 8, 15, 16, 17, 1000, 98304, 300001}) {
    references<float>(size);
    references<double>(size);
  }
  std::puts("clean");
}
