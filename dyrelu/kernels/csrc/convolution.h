// Primitives of oneDNN on tensors in Paddle's order: what a primitive wants in another is reordered around it.
#pragma once

#include <cstdlib>
#include <utility>
#include <vector>

#include "primitives.h"

namespace dyrelu::onednn {

// Memory that stays with the thread: what comes and goes would meet new pages with every call.
inline char* room(std::size_t bytes) {
  constexpr std::size_t kAlignment = 4096;
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  static thread_local std::unique_ptr<char, Free> memory;
  static thread_local std::size_t size = 0;
  if (bytes > size) {
    size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    memory.reset();
    memory.reset(static_cast<char*>(std::aligned_alloc(kAlignment, size)));
    if (!memory) size = 0;
    PD_CHECK(memory != nullptr, "there is no memory for a convolution.");
  }
  return memory.get();
}

// How a primitive names a tensor: as an argument of its run, and when asked how it wants it.
struct Use {
  int argument, query;
  int tensor;
  bool written;
};

constexpr int kFrom = 1, kTo = 17;  // the arguments of a reorder

// Primitives that work on the same tensors, and the reorders before and after them.
class Plan {
 public:
  explicit Plan(const std::vector<Axes>& tensors) {
    for (const auto& sizes : tensors) plain_.push_back(plain_order(sizes));
  }

  void add(PrimitiveDescription description, const std::vector<Use>& uses) {
    Step step{primitive(description.get()), {}, std::move(description), 0};
    for (const auto& use : uses)
      step.arguments.push_back({use.argument, slot(use, query(step.description.get(), use.query))});
    step.scratchpad = claim(dnnl_memory_desc_get_size(query(step.description.get(), kScratchpad)));
    steps_.push_back(std::move(step));
  }

  // `data` of the tensors that the plan was made with.
  void run(const std::vector<const float*>& data) const {
    char* const own = room(size_);
    std::vector<Memory> tensors, slots;
    for (std::size_t i = 0; i < data.size(); ++i) tensors.push_back(at(plain_[i].get(), const_cast<float*>(data[i])));
    for (const auto& slot : slots_)
      slots.push_back(slot.reorder ? at(slot.wanted.get(), own + slot.offset) : nullptr);
    const auto memory = [&](std::size_t i) { return slots[i] ? slots[i].get() : tensors[slots_[i].tensor].get(); };
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].reorder && !slots_[i].written)
        execute(slots_[i].reorder, {{kFrom, tensors[slots_[i].tensor].get()}, {kTo, slots[i].get()}});
    for (const auto& step : steps_) {
      constexpr int kScratchpadArgument = 80;
      const Memory scratchpad = at(query(step.description.get(), kScratchpad), own + step.scratchpad);
      std::vector<DnnlArgument> arguments{{kScratchpadArgument, scratchpad.get()}};
      for (const auto& [number, slot] : step.arguments) arguments.push_back({number, memory(slot)});
      execute(step.primitive, arguments);
    }
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].reorder && slots_[i].written)
        execute(slots_[i].reorder, {{kFrom, slots[i].get()}, {kTo, tensors[slots_[i].tensor].get()}});
  }

 private:
  // A tensor in the order that some primitives want; without a reorder, as it is.
  struct Slot {
    int tensor;
    bool written;
    Description wanted;
    Primitive reorder;
    std::size_t offset;
  };

  struct Step {
    Primitive primitive;
    std::vector<std::pair<int, std::size_t>> arguments;
    PrimitiveDescription description;
    std::size_t scratchpad;
  };

  static const void* query(const void* description, int what) {
    return dnnl_primitive_desc_query_md(description, what, 0);
  }

  static void execute(const Primitive& primitive, const std::vector<DnnlArgument>& arguments) {
    const int count = static_cast<int>(arguments.size());
    const int status = dnnl_primitive_execute(primitive.get(), stream(), count, arguments.data());
    PD_CHECK(status == 0, "oneDNN fails to run a convolution (status ", status, ").");
  }

  std::size_t slot(const Use& use, const void* wanted) {
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].tensor == use.tensor && dnnl_memory_desc_equal(slots_[i].wanted.get(), wanted)) return i;
    const void* const plain = plain_[use.tensor].get();
    Slot slot{use.tensor, use.written, nullptr, nullptr, 0};
    slot.wanted = made<Description>("a description", [&](void** h) { return dnnl_memory_desc_clone(h, wanted); });
    if (!dnnl_memory_desc_equal(plain, wanted)) {
      slot.reorder = use.written ? reorder(wanted, plain) : reorder(plain, wanted);
      slot.offset = claim(dnnl_memory_desc_get_size(wanted));
    }
    slots_.push_back(std::move(slot));
    return slots_.size() - 1;
  }

  // So many bytes of the room, from a page of their own.
  std::size_t claim(std::size_t bytes) {
    constexpr std::size_t kPage = 4096;
    const std::size_t offset = size_;
    size_ += (bytes + kPage - 1) / kPage * kPage;
    return offset;
  }

  std::vector<Description> plain_;
  std::vector<Slot> slots_;
  std::vector<Step> steps_;
  std::size_t size_ = 0;
};

}  // namespace dyrelu::onednn
