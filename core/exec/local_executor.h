#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "core/exec/executor.h"
#include "core/exec/run_folder.h"

namespace runyard {

/// Runs attempts on this machine, each under a runyard-shim of its own (docs/run-folder.md), which
/// outlives the server. A shim is watched by a pidfd, its own child or an adopted one alike; what
/// counts is its exit record alone. A shim that is gone without one was killed: its tree is cleared
/// by the attempt's token, and the attempt is lost. Engine thread only.
class LocalExecutor final : public Executor {
 public:
  /// `attempts`: the folder of run folders, `<state>/attempts`.
  LocalExecutor(boost::asio::io_context& engine, std::filesystem::path attempts,
                std::filesystem::path shim, Ended ended);
  ~LocalExecutor() override;

  void prepare(const AttemptSpec& spec) override;
  void run(AttemptSpec spec) override;
  void cancel(const std::string& job_id, int attempt) override;
  void set_timeout(const std::string& job_id, int attempt, std::int64_t timeout_sec) override;
  void clean_up(const std::string& job_id, int attempt, EndReason reason) override;
  std::filesystem::path folder_of(const std::string& job_id, int attempt) const override;

 private:
  struct Supervised;
  Supervised& supervise(AttemptSpec spec);
  void make_folder(Supervised& attempt);
  void take_folder(Supervised& attempt);
  void look(const std::string& token);
  void start_shim(Supervised& attempt);
  void let_go(Supervised& attempt);
  void watch(Supervised& attempt, const ProcessId& shim);
  void after(Supervised& attempt, int delay_ms, void (LocalExecutor::*step)(const std::string&));
  void clear_tree(const std::string& token);
  void finish(const std::string& token, AttemptResult result);
  void tell_shim(Supervised& attempt);

  boost::asio::io_context& engine_;
  const std::filesystem::path attempts_;
  const std::filesystem::path shim_;
  const Ended ended_;
  std::map<std::string, std::unique_ptr<Supervised>> supervised_;  // by token
  // Removing a folder waits for the disk's journal, and the engine must not.
  boost::asio::thread_pool cleaner_{1};
};

}  // namespace runyard
