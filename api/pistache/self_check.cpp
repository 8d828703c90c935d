#include <dlfcn.h>

#include <array>

#include "api/pistache/http_layer.h"

namespace runyard::http {
namespace {

constexpr std::array kReplaced = {
    "_ZN8Pistache3Tcp9Transport14handleIncomingERKSt10shared_ptrINS0_4PeerEE",
    "_ZN8Pistache3Tcp9Transport14asyncWriteImplEi",
    "_ZN8Pistache3Tcp9Transport16handleWriteQueueEb",
    "_ZN8Pistache3Tcp9Transport15handlePeerQueueEv",
    "_ZN8Pistache3Tcp9Transport10removePeerERKSt10shared_ptrINS0_4PeerEE",
    "_ZNK8Pistache3Tcp8Listener16acceptConnectionER16sockaddr_storage",
    "_ZN8Pistache4Http7Handler12onConnectionERKSt10shared_ptrINS_3Tcp4PeerEE",
    "_ZN8Pistache4Http7Handler7onInputEPKcmRKSt10shared_ptrINS_3Tcp4PeerEE",
    "_ZN8Pistache4Http14ResponseWriter9putOnWireEPKcm",
    "_ZN8Pistache4Rest15SegmentTreeNode16sanitizeResourceERKNSt7__cxx1112basic_stringIcSt11"
    "char_traitsIcESaIcEEE",
};

}  // namespace

// The dynamic linker binds the library's calls to the first definition in its search order, which
// is what dlsym(RTLD_DEFAULT) gives; it must lie in the same object as this function.
std::string member_not_replaced() {
  Dl_info here{};
  ::dladdr(reinterpret_cast<const void*>(&member_not_replaced), &here);
  for (const char* const name : kReplaced) {
    Dl_info there{};
    const void* const found = ::dlsym(RTLD_DEFAULT, name);
    if (found == nullptr || ::dladdr(found, &there) == 0 || there.dli_fbase != here.dli_fbase) {
      return name;
    }
  }
  return {};
}

}  // namespace runyard::http
