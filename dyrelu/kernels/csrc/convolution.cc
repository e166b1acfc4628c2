// Paddle's view of a convolution by oneDNN: `dyrelu_conv2d`, and `dyrelu_conv2d_first` whose x needs no gradient.
#include "convolution.h"

#include <omp.h>

#include <algorithm>
#include <exception>
#include <map>
#include <mutex>

namespace {

using dyrelu::onednn::any_order;
using dyrelu::onednn::Axes;
using dyrelu::onednn::library;
using dyrelu::onednn::made;
using dyrelu::onednn::Pair;
using dyrelu::onednn::Plan;
using dyrelu::onednn::PrimitiveDescription;
using paddle::Tensor;
using Sizes = std::vector<std::int64_t>;
using Type = paddle::DataType;

// What is computed of a convolution: y; dw; or dw and dx.
enum class Pass { kForward, kWeights, kBoth };

struct Geometry {
  Axes x, w, y;
  Pair strides, padding;

  static std::int64_t per_sample(const Axes& sizes) { return sizes[1] * sizes[2] * sizes[3]; }
  std::int64_t weights() const { return w[0] * per_sample(w); }

  Geometry of(std::int64_t samples) const {
    Geometry part = *this;
    part.x[0] = part.y[0] = samples;
    return part;
  }
};

constexpr int kTraining = 64, kDirect = 1;
constexpr Pair kUndilated{0, 0};

PrimitiveDescription forward_description(const Geometry& g) {
  return made<PrimitiveDescription>("a convolution", [&](void** h) {
    return dnnl_convolution_forward_primitive_desc_create(
        h, library().engine, kTraining, kDirect, any_order(g.x).get(), any_order(g.w).get(), nullptr,
        any_order(g.y).get(), g.strides.data(), kUndilated.data(), g.padding.data(), g.padding.data(),
        library().attributes);
  });
}

PrimitiveDescription weights_description(const Geometry& g, const PrimitiveDescription& forward) {
  return made<PrimitiveDescription>("the gradient of a convolution's weights", [&](void** h) {
    return dnnl_convolution_backward_weights_primitive_desc_create(
        h, library().engine, kDirect, any_order(g.x).get(), any_order(g.w).get(), nullptr, any_order(g.y).get(),
        g.strides.data(), kUndilated.data(), g.padding.data(), g.padding.data(), forward.get(),
        library().attributes);
  });
}

PrimitiveDescription data_description(const Geometry& g, const PrimitiveDescription& forward) {
  return made<PrimitiveDescription>("the gradient of a convolution's data", [&](void** h) {
    return dnnl_convolution_backward_data_primitive_desc_create(
        h, library().engine, kDirect, any_order(g.x).get(), any_order(g.w).get(), any_order(g.y).get(),
        g.strides.data(), kUndilated.data(), g.padding.data(), g.padding.data(), forward.get(),
        library().attributes);
  });
}

// The places of the tensors in a plan.
constexpr int kX = 0, kW = 1, kY = 2, kDw = 3, kDx = 4;

// oneDNN's numbers of an argument, and of the question how it is wanted.
constexpr int kSrc = 1, kDst = 17, kWeights = 33, kDiffSrc = 129, kDiffDst = 145, kDiffWeights = 161;
constexpr int kAskSrc = 129, kAskDiffSrc = 130, kAskWeights = 131, kAskDiffWeights = 132;
constexpr int kAskDst = 133, kAskDiffDst = 134;

std::shared_ptr<const Plan> make_plan(Pass pass, const Geometry& g) {
  auto plan = std::make_shared<Plan>(std::vector<Axes>{g.x, g.w, g.y, g.w, g.x});
  auto forward = forward_description(g);
  if (pass != Pass::kForward)
    plan->add(weights_description(g, forward), {{kSrc, kAskSrc, kX, false},
                                                {kDiffDst, kAskDiffDst, kY, false},
                                                {kDiffWeights, kAskDiffWeights, kDw, true}});
  if (pass == Pass::kBoth)
    plan->add(data_description(g, forward), {{kWeights, kAskWeights, kW, false},
                                             {kDiffDst, kAskDiffDst, kY, false},
                                             {kDiffSrc, kAskDiffSrc, kDx, true}});
  if (pass == Pass::kForward)
    plan->add(std::move(forward), {{kSrc, kAskSrc, kX, false},
                                   {kWeights, kAskWeights, kW, false},
                                   {kDst, kAskDst, kY, true}});
  return plan;
}

// Made once for each shape and number of threads, which oneDNN shares the work out for when it makes them.
std::shared_ptr<const Plan> plan_for(Pass pass, const Geometry& g) {
  constexpr std::size_t kMost = 512;  // several networks' worth
  using Key = std::array<std::int64_t, 18>;
  static std::mutex mutex;
  static auto& plans = *new std::map<Key, std::shared_ptr<const Plan>>;
  Key key{static_cast<std::int64_t>(pass), omp_get_max_threads()};
  auto rest = key.begin() + 2;
  for (const auto& sizes : {g.x, g.w, g.y}) rest = std::copy(sizes.begin(), sizes.end(), rest);
  for (const auto& pair : {g.strides, g.padding}) rest = std::copy(pair.begin(), pair.end(), rest);
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = plans.find(key);
  if (found != plans.end()) return found->second;
  if (plans.size() >= kMost) plans.clear();
  return plans[key] = make_plan(pass, g);
}

Geometry geometry_of(const Tensor& x, const Tensor& w, const std::vector<int>& strides,
                     const std::vector<int>& padding) {
  PD_CHECK(x.is_cpu() && w.is_cpu(), "this operator runs on the CPU alone: move x there.");
  PD_CHECK(x.dtype() == Type::FLOAT32 && w.dtype() == Type::FLOAT32, "x and its weights must be float32.");
  PD_CHECK(strides.size() == 2 && padding.size() == 2, "strides and padding are one number an axis.");
  Geometry g{};
  const auto xs = x.shape(), ws = w.shape();
  PD_CHECK(xs.size() == 4 && ws.size() == 4 && xs[1] == ws[1], "the weights do not fit x.");
  std::copy(xs.begin(), xs.end(), g.x.begin());
  std::copy(ws.begin(), ws.end(), g.w.begin());
  std::copy(strides.begin(), strides.end(), g.strides.begin());
  std::copy(padding.begin(), padding.end(), g.padding.begin());
  g.y = {xs[0], ws[0]};
  for (int i = 0; i < 2; ++i) {
    const auto room = xs[2 + i] + 2 * g.padding[i] - ws[2 + i];
    PD_CHECK(room >= 0 && g.strides[i] > 0, "x is smaller than the kernel, or a stride is not positive.");
    g.y[2 + i] = room / g.strides[i] + 1;
  }
  return g;
}

// So many samples at a time that what is reordered stays in the cache; where the weights are large, more.
std::int64_t part_of(const Geometry& g) {
  constexpr std::int64_t kBytes = 512 << 10, kTimesWeights = 2;
  const std::int64_t sample = 4 * (g.per_sample(g.x) + g.per_sample(g.y));
  return std::max<std::int64_t>(1, std::max(kBytes, kTimesWeights * 4 * g.weights()) / sample);
}

// As many threads as have a sample each. One alone leaves it to oneDNN to share the work out.
int workers_for(const Geometry& g) {
  return static_cast<int>(std::max<std::int64_t>(1, std::min<std::int64_t>(omp_get_max_threads(), g.x[0])));
}

// body(worker, first, count) for parts of the samples. Each worker has a row of them to itself and waits for nobody;
// oneDNN's own threads would, in the gradient of w, at a barrier that spins.
template <typename Body>
void for_parts(const Geometry& g, Body&& body) {
  const int workers = workers_for(g);
  const std::int64_t fitting = part_of(g);
  std::vector<std::exception_ptr> failures(workers);
  const auto work = [&](int worker) {
    const std::int64_t begin = g.x[0] * worker / workers, end = g.x[0] * (worker + 1) / workers;
    const std::int64_t parts = std::max<std::int64_t>(1, (end - begin + fitting - 1) / fitting);
    for (std::int64_t i = 0; i < parts; ++i) {
      const std::int64_t first = begin + (end - begin) * i / parts, last = begin + (end - begin) * (i + 1) / parts;
      if (last > first) body(worker, first, last - first);
    }
  };
  if (workers == 1) return work(0);
#pragma omp parallel num_threads(workers)
  try {
    omp_set_num_threads(1);  // of this thread alone: what it has oneDNN make and run is for one thread
    // There may be fewer threads than were asked for.
    for (int worker = omp_get_thread_num(); worker < workers; worker += omp_get_num_threads()) work(worker);
  } catch (...) {
    failures[omp_get_thread_num()] = std::current_exception();
  }
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

std::vector<Tensor> forward(const Tensor& x, const Tensor& w, const std::vector<int>& strides,
                            const std::vector<int>& padding) {
  const Geometry g = geometry_of(x, w, strides, padding);
  Tensor result = paddle::empty(Sizes(g.y.begin(), g.y.end()), x.dtype(), x.place());
  const float *from = x.data<float>(), *weights = w.data<float>();
  float* const y = result.data<float>();
  for_parts(g, [&](int, std::int64_t first, std::int64_t count) {
    const auto plan = plan_for(Pass::kForward, g.of(count));
    plan->run({from + first * g.per_sample(g.x), weights, y + first * g.per_sample(g.y)});
  });
  return {result};
}

// The gradients of w and, with `kBoth`, of x before it. That of w is summed part by part and worker by worker.
template <Pass kPass>
std::vector<Tensor> backward(const Tensor& x, const Tensor& w, const Tensor& upstream,
                             const std::vector<int>& strides, const std::vector<int>& padding) {
  const Geometry g = geometry_of(x, w, strides, padding);
  const std::int64_t size = g.weights();
  std::vector<Tensor> out{paddle::zeros(w.shape(), w.dtype(), w.place())};
  if (kPass == Pass::kBoth) out.insert(out.begin(), paddle::empty(x.shape(), x.dtype(), x.place()));
  const float *from = x.data<float>(), *weights = w.data<float>(), *dy = upstream.data<float>();
  float* const dx = kPass == Pass::kBoth ? out[0].data<float>() : nullptr;
  std::vector<std::vector<float>> sums(workers_for(g));
  for_parts(g, [&](int worker, std::int64_t first, std::int64_t count) {
    auto& sum = sums[worker];
    const bool begins = sum.empty();
    sum.resize(begins ? size : 2 * size);
    float* const part = begins ? sum.data() : sum.data() + size;
    std::vector<const float*> data{from + first * g.per_sample(g.x), weights, dy + first * g.per_sample(g.y), part};
    if (dx) data.push_back(dx + first * g.per_sample(g.x));
    plan_for(kPass, g.of(count))->run(data);
    for (std::int64_t i = 0; !begins && i < size; ++i) sum[i] += part[i];
  });
  float* const dw = out.back().data<float>();
  for (const auto& sum : sums)
    for (std::int64_t i = 0; !sum.empty() && i < size; ++i) dw[i] += sum[i];
  return out;
}

std::vector<Sizes> forward_shapes(const Sizes& x, const Sizes& w, const std::vector<int>& strides,
                                  const std::vector<int>& padding) {
  Sizes y{x[0], w[0], -1, -1};
  for (int i = 0; i < 2; ++i)  // axes that are not known when tracing are -1
    if (x[2 + i] >= 0) y[2 + i] = (x[2 + i] + 2 * padding[i] - w[2 + i]) / strides[i] + 1;
  return {y};
}

std::vector<Type> forward_types(const Type& x, const Type&) { return {x}; }

}  // namespace

PD_BUILD_OP(dyrelu_conv2d)
    .Inputs({"X", "W"})
    .Outputs({"Y"})
    .Attrs({"strides: std::vector<int>", "padding: std::vector<int>"})
    .SetKernelFn(PD_KERNEL(forward))
    .SetInferShapeFn(PD_INFER_SHAPE(forward_shapes))
    .SetInferDtypeFn(PD_INFER_DTYPE(forward_types));

PD_BUILD_GRAD_OP(dyrelu_conv2d)
    .Inputs({"X", "W", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("W")})
    .Attrs({"strides: std::vector<int>", "padding: std::vector<int>"})
    .SetKernelFn(PD_KERNEL(backward<Pass::kBoth>));

PD_BUILD_OP(dyrelu_conv2d_first)
    .Inputs({"X", "W"})
    .Outputs({"Y"})
    .Attrs({"strides: std::vector<int>", "padding: std::vector<int>"})
    .SetKernelFn(PD_KERNEL(forward))
    .SetInferShapeFn(PD_INFER_SHAPE(forward_shapes))
    .SetInferDtypeFn(PD_INFER_DTYPE(forward_types));

PD_BUILD_GRAD_OP(dyrelu_conv2d_first)
    .Inputs({"X", "W", paddle::Grad("Y")})
    .Outputs({paddle::Grad("W")})
    .Attrs({"strides: std::vector<int>", "padding: std::vector<int>"})
    .SetKernelFn(PD_KERNEL(backward<Pass::kWeights>));
