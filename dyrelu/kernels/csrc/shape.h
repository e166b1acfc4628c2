// What one call of the layer works on.
#pragma once

#include "vector.h"

namespace dyrelu {

// What the map over positions does: nothing (A and B), softmax over all positions scaling the deltas, the
// same over the last axis, or scaling the whole output.
enum class Spatial { kNone, kResidual, kSeed, kPaper };

constexpr double kLambdaSlope = 1.0, kLambdaIntercept = 0.5;  // Chen et al. 2020, section 3.2
constexpr double kGammaDivisor = 3.0;                         // gamma = positions / 3, section 3.3

// How the elements of a sample lie: channel by channel; or, as oneDNN's convolutions leave them, channels
// innermost: a vector of them at a time, or all.
enum class Order { kChannelFirst, kBlocked, kChannelLast };

struct Shape {
  Size samples, channels, positions, last_axis;
  Size hidden, outputs;
  int k;
  bool per_channel;  // coefficients for each channel (B, C), or one set for all (A)
  Spatial spatial;
  double tau;
  Order order = Order::kChannelFirst;  // the backward pass has no other

  Size map() const { return channels * positions; }
  Size groups() const { return per_channel ? channels : 1; }  // sets of coefficients of a sample
  bool channels_innermost() const { return order != Order::kChannelFirst; }
  // What is worked on at a time: a channel, or a vector of them.
  Size unit(Size lanes) const { return channels_innermost() ? lanes : 1; }
  // Where a channel begins in a sample, and where its next position is.
  Size start(Size channel) const { return order == Order::kChannelLast ? channel : channel * positions; }
  Size step(Size lanes) const { return order == Order::kChannelLast ? channels : unit(lanes); }
  Size softmax_length() const { return spatial == Spatial::kSeed ? last_axis : positions; }
};

template <typename T>
struct Weights {
  const T *w1, *b1, *w2, *b2;  // (C, hidden), (hidden), (hidden, outputs), (outputs)
  const T *wz, *bz;            // the 1x1 convolution's (C) and (1), for C
};

}  // namespace dyrelu
