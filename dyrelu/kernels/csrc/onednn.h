// Tensors that Paddle Inference hands over in oneDNN's layouts. It reorders them only for operators it knows, so
// this one sees to it itself: float32 with channels innermost is worked on as it is, all else is reordered.
//
// Paddle's wheel brings no oneDNN headers: what is used of its C interface and of Paddle's side of it is declared
// here. A comparison by oneDNN itself decides, so a description of another form is reordered, never misread.
#pragma once

#include <memory>
#include <string>

#include "paddle/extension.h"
#include "paddle/phi/core/dense_tensor.h"
#include "shape.h"

extern "C" {
int dnnl_memory_desc_create_with_string_tag(void** description, int axes, const std::int64_t* sizes, int type,
                                            const char* tag);
int dnnl_memory_desc_equal(const void* one, const void* other);
std::size_t dnnl_memory_desc_get_size(const void* description);
int dnnl_memory_desc_destroy(void* description);
}

namespace phi {

#ifndef PADDLE_WITH_DNNL
// As in phi/core/storage_properties.h, a description being a shared pointer in oneDNN's C++ interface.
struct OneDNNStorageProperties : public StorageProperties,
                                 public TypeInfoTraits<StorageProperties, OneDNNStorageProperties> {
  ~OneDNNStorageProperties() override = default;
  static const char* name() { return "OneDNNStorageProperties"; }
  int format;
  std::shared_ptr<void> mem_desc;
};
#endif

namespace funcs {
void TransDataLayoutFromOneDNN(DataLayout from, DataLayout to, const DenseTensor& in, DenseTensor* out, Place place,
                               bool always_copy);
}  // namespace funcs
}  // namespace phi

namespace dyrelu {

inline bool is_onednn(const paddle::Tensor& x) { return x.layout() == phi::DataLayout::ONEDNN; }

inline const phi::DenseTensor& dense(const paddle::Tensor& x) {
  return *static_cast<const phi::DenseTensor*>(x.impl().get());
}

// Whether oneDNN itself finds this description to be that of the tag.
inline bool described_by(const paddle::Tensor& x, const std::string& tag) {
  constexpr int kFloat32 = 3;  // dnnl_f32
  const auto sizes = x.shape();
  const auto& own = dense(x).storage_properties<phi::OneDNNStorageProperties>().mem_desc;
  void* wanted = nullptr;
  const int axes = static_cast<int>(sizes.size());
  if (!own || dnnl_memory_desc_create_with_string_tag(&wanted, axes, sizes.data(), kFloat32, tag.c_str()) != 0)
    return false;
  const bool equal = dnnl_memory_desc_equal(own.get(), wanted) != 0;
  dnnl_memory_desc_destroy(wanted);
  return equal;
}

// The order of a tensor that can be worked on as it is; `kChannelFirst` where it has to be reordered.
inline Order order_of(const paddle::Tensor& x) {
  const auto sizes = x.shape();
  const bool fits = x.dtype() == paddle::DataType::FLOAT32 && sizes[1] % kLanes<float> == 0;
  // The result takes over the description, and must not take over a place within a larger tensor.
  const bool whole = dense(x).meta().offset == 0 && dense(x).storage_properties_initialized();
  if (!fits || !whole) return Order::kChannelFirst;
  const bool image = sizes.size() == 4;
  if (described_by(x, image ? "acdb" : "acb")) return Order::kChannelLast;
  const std::string lanes = std::to_string(kLanes<float>);
  return described_by(x, (image ? "aBcd" : "aBc") + lanes + "b") ? Order::kBlocked : Order::kChannelFirst;
}

// A tensor of the same description with memory of its own, of so many elements with the layout's padding.
inline paddle::Tensor same_layout(const paddle::Tensor& x, std::int64_t elements) {
  auto result = std::make_shared<phi::DenseTensor>(dense(x));
  const auto room = paddle::empty({elements}, x.dtype(), x.place());
  result->ShareBufferWith(dense(room), true);
  return paddle::Tensor(result);
}

// The elements in the order of the axes.
inline paddle::Tensor reordered(const paddle::Tensor& x) {
  auto result = std::make_shared<phi::DenseTensor>();
  phi::funcs::TransDataLayoutFromOneDNN(phi::DataLayout::ONEDNN, phi::DataLayout::NCHW, dense(x), result.get(),
                                        x.place(), true);
  return paddle::Tensor(result);
}

// The tensor itself, or reordered where oneDNN has left it in a layout of its own.
inline paddle::Tensor in_order(const paddle::Tensor& x) { return is_onednn(x) ? reordered(x) : x; }

}  // namespace dyrelu
