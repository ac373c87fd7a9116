// CPU time that other processes use during a step, from their POSIX CPU clocks.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace baokms::bench {

using CpuTimes = std::map<std::string, std::chrono::nanoseconds>;

// The CPU time each process has used so far, and our own as "load". A process that is gone is left
// out.
CpuTimes ReadCpuTimes(const std::map<std::string, int>& watched);

// Microseconds of CPU per call between two readings, for the processes in both of them.
std::map<std::string, double> CpuPerCall(const CpuTimes& before,
                                         const CpuTimes& after,
                                         std::uint64_t calls);

}  // namespace baokms::bench
