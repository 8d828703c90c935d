#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <thread>

#include "api/http.h"

namespace runyard {

/// Sends what is long on sockets that were taken over from Pistache: a head and a part of a file,
/// by sendfile, on one thread for all, in constant memory. A client that does not read is given up
/// after a while and costs nobody else anything. Owned by the server; send() may be called by any
/// thread.
class FileSender {
 public:
  FileSender();
  /// Ends what is being sent.
  ~FileSender();
  FileSender(const FileSender&) = delete;
  FileSender& operator=(const FileSender&) = delete;

  /// Owns `socket`, which is non-blocking, and closes it after the last byte.
  void send(UniqueFd socket, std::string head, FileBody body);

 private:
  class Transfer;
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace runyard
