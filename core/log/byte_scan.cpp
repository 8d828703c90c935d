#include "core/log/byte_scan.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace runyard {
namespace {

// The compiler's portable vectors: a register of SSE2 or NEON.
constexpr std::size_t kBlock = 16;
using Block = unsigned char __attribute__((vector_size(kBlock)));
using Words = std::uint64_t __attribute__((vector_size(kBlock)));
static_assert(std::endian::native == std::endian::little, "find_first() reads words");

Block load(const char* at) {
  Block block;
  std::memcpy(&block, at, kBlock);
  return block;
}

bool any(const Block& block) {
  const Words words = reinterpret_cast<Words>(block);
  return (words[0] | words[1]) != 0;
}

/// The index of the first byte that is set; one is.
std::size_t first_of(const Block& block) {
  const Words words = reinterpret_cast<Words>(block);
  const std::size_t word = words[0] != 0 ? 0 : 1;
  return word * 8 + static_cast<std::size_t>(std::countr_zero(words[word])) / 8;
}

Block is_control(const Block& v) {
  return reinterpret_cast<Block>(((v < 0x20) & (v != '\t')) | (v == 0x7f));
}
bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }
Block is_special(const Block& v) {
  return reinterpret_cast<Block>(((v < 0x20) & (v != '\t') & (v != '\n')) | (v == 0x7f));
}
bool is_special(char c) { return is_control(c) && c != '\n'; }

template <class OfBlock, class OfByte>
std::size_t find(std::string_view bytes, OfBlock of_block, OfByte of_byte) {
  std::size_t at = 0;
  for (; at + kBlock <= bytes.size(); at += kBlock) {
    const Block hits = of_block(load(bytes.data() + at));
    if (any(hits)) return at + first_of(hits);
  }
  while (at < bytes.size() && !of_byte(bytes[at])) ++at;
  return at;
}

template <class OfBlock, class OfByte>
std::size_t count(std::string_view bytes, OfBlock of_block, OfByte of_byte) {
  constexpr std::size_t kRounds = 255;  // as many as a byte can count
  std::size_t total = 0, at = 0;
  while (at + kBlock <= bytes.size()) {
    Block sums = {};
    const std::size_t rounds = std::min((bytes.size() - at) / kBlock, kRounds);
    for (std::size_t i = 0; i < rounds; ++i, at += kBlock)
      sums -= of_block(load(bytes.data() + at));
    for (std::size_t i = 0; i < kBlock; ++i) total += sums[i];
  }
  for (; at < bytes.size(); ++at) total += of_byte(bytes[at]) ? 1 : 0;
  return total;
}

}  // namespace

std::int64_t count_newlines(std::string_view bytes) {
  return static_cast<std::int64_t>(count(
      bytes, [](const Block& v) { return reinterpret_cast<Block>(v == '\n'); },
      [](char c) { return c == '\n'; }));
}

std::size_t count_characters(std::string_view bytes) {
  return count(
      bytes, [](const Block& v) { return reinterpret_cast<Block>((v & 0xC0) != 0x80); },
      [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

std::size_t find_control(std::string_view bytes) {
  return find(
      bytes, [](const Block& v) { return is_control(v); }, [](char c) { return is_control(c); });
}

std::size_t find_special(std::string_view bytes) {
  return find(
      bytes, [](const Block& v) { return is_special(v); }, [](char c) { return is_special(c); });
}

bool is_ascii(std::string_view bytes) {
  return find(
             bytes, [](const Block& v) { return reinterpret_cast<Block>(v >= 0x80); },
             [](char c) { return static_cast<unsigned char>(c) >= 0x80; }) == bytes.size();
}

}  // namespace runyard
