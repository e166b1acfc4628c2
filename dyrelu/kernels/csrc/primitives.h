// What is used of oneDNN's C interface, and handles of what it makes, which they take down in the end.
//
// Paddle's wheel brings oneDNN without its headers, so it is declared here, as in onednn.h; the numbers are those of
// version 3, which `library()` asks for.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "paddle/extension.h"

extern "C" {
struct DnnlArgument {
  int number;
  void* memory;
};
struct DnnlVersion {
  int major;
};
const DnnlVersion* dnnl_version();
int dnnl_engine_create(void** engine, int kind, std::size_t index);
int dnnl_stream_create(void** stream, void* engine, unsigned flags);
int dnnl_primitive_attr_create(void** attributes);
int dnnl_primitive_attr_set_scratchpad_mode(void* attributes, int mode);
int dnnl_memory_desc_create_with_tag(void** description, int axes, const std::int64_t* sizes, int type, int tag);
int dnnl_memory_desc_create_with_strides(void** description, int axes, const std::int64_t* sizes, int type,
                                         const std::int64_t* strides);
int dnnl_memory_desc_clone(void** description, const void* other);
int dnnl_memory_desc_equal(const void* one, const void* other);
std::size_t dnnl_memory_desc_get_size(const void* description);
int dnnl_memory_desc_destroy(void* description);
int dnnl_memory_create(void** memory, const void* description, void* engine, void* data);
int dnnl_memory_destroy(void* memory);
int dnnl_convolution_forward_primitive_desc_create(void** made, void* engine, int kind, int algorithm, const void* x,
                                                   const void* w, const void* bias, const void* y,
                                                   const std::int64_t* strides, const std::int64_t* dilations,
                                                   const std::int64_t* before, const std::int64_t* after,
                                                   const void* attributes);
int dnnl_convolution_backward_data_primitive_desc_create(void** made, void* engine, int algorithm, const void* dx,
                                                         const void* w, const void* dy, const std::int64_t* strides,
                                                         const std::int64_t* dilations, const std::int64_t* before,
                                                         const std::int64_t* after, const void* forward,
                                                         const void* attributes);
int dnnl_convolution_backward_weights_primitive_desc_create(void** made, void* engine, int algorithm, const void* x,
                                                            const void* dw, const void* bias, const void* dy,
                                                            const std::int64_t* strides,
                                                            const std::int64_t* dilations,
                                                            const std::int64_t* before, const std::int64_t* after,
                                                            const void* forward, const void* attributes);
int dnnl_reorder_primitive_desc_create(void** made, const void* from, void* from_engine, const void* to,
                                       void* to_engine, const void* attributes);
const void* dnnl_primitive_desc_query_md(const void* description, int what, int index);
int dnnl_primitive_desc_destroy(void* description);
int dnnl_primitive_create(void** primitive, const void* description);
int dnnl_primitive_execute(const void* primitive, void* stream, int count, const DnnlArgument* arguments);
int dnnl_primitive_destroy(void* primitive);
}

namespace dyrelu::onednn {

using Axes = std::array<std::int64_t, 4>;
using Pair = std::array<std::int64_t, 2>;

template <int (*kDestroy)(void*)>
struct Destroy {
  void operator()(void* handle) const { kDestroy(handle); }
};
template <int (*kDestroy)(void*)>
using Handle = std::unique_ptr<void, Destroy<kDestroy>>;
using Description = Handle<dnnl_memory_desc_destroy>;
using Memory = Handle<dnnl_memory_destroy>;
using PrimitiveDescription = Handle<dnnl_primitive_desc_destroy>;
using Primitive = Handle<dnnl_primitive_destroy>;

// The result of a function that makes a handle; `what` says in a message what could not be made.
template <typename Made, typename Make>
Made made(const char* what, Make&& make) {
  void* handle = nullptr;
  const int status = make(&handle);
  PD_CHECK(status == 0, "oneDNN refuses ", what, " (status ", status, ").");
  return Made(handle);
}

// One a process, and never taken down: what is destroyed at the end of the process may still need it.
struct Library {
  void *engine = nullptr, *attributes = nullptr;
};

inline const Library& library() {
  static const Library instance = [] {
    constexpr int kCpu = 1, kScratchpadOfTheCaller = 1, kVersion = 3;
    PD_CHECK(dnnl_version()->major == kVersion, "Paddle brings another oneDNN than version 3.");
    Library result;
    result.engine = made<void*>("an engine", [](void** h) { return dnnl_engine_create(h, kCpu, 0); });
    result.attributes = made<void*>("attributes", dnnl_primitive_attr_create);
    dnnl_primitive_attr_set_scratchpad_mode(result.attributes, kScratchpadOfTheCaller);
    return result;
  }();
  return instance;
}

// One a thread, and as long-lived.
inline void* stream() {
  static thread_local void* const instance =
      made<void*>("a stream", [](void** h) { return dnnl_stream_create(h, library().engine, 1); });
  return instance;
}

constexpr int kFloat32 = 3, kAnyOrder = 1, kScratchpad = 136;  // the last as what to ask a description for

inline Description any_order(const Axes& sizes) {
  return made<Description>("a description", [&](void** h) {
    return dnnl_memory_desc_create_with_tag(h, 4, sizes.data(), kFloat32, kAnyOrder);
  });
}

// In the order of the axes, as Paddle has it.
inline Description plain_order(const Axes& sizes) {
  const Axes strides{sizes[1] * sizes[2] * sizes[3], sizes[2] * sizes[3], sizes[3], 1};
  return made<Description>("a description", [&](void** h) {
    return dnnl_memory_desc_create_with_strides(h, 4, sizes.data(), kFloat32, strides.data());
  });
}

inline Memory at(const void* description, void* data) {
  return made<Memory>("memory", [&](void** h) { return dnnl_memory_create(h, description, library().engine, data); });
}

inline Primitive primitive(const void* description) {
  return made<Primitive>("a primitive", [&](void** h) { return dnnl_primitive_create(h, description); });
}

inline Primitive reorder(const void* from, const void* to) {
  const auto made_of = made<PrimitiveDescription>("a reorder", [&](void** h) {
    return dnnl_reorder_primitive_desc_create(h, from, library().engine, to, library().engine, nullptr);
  });
  return primitive(made_of.get());
}

}  // namespace dyrelu::onednn
