// What an attacker inside a process would try, and what the process has to be able to do. Each deed
// returns 0 or the errno of the call that failed, and works in a process without a filter.

#pragma once

namespace baokms {

// Network.
int OpenInternetSocket();
int OpenUnixSocket();
int OpenNetlinkSocket();
int MakeSocketPair();

// Programs and code.
int ExecuteProgram();                       // execve("/bin/true")
int ExecuteDescriptor();                    // execveat of an open /bin/true, as the spawner does
int ForkAndWait();                          // fork(3) of libc
int CloneAndWait(unsigned long flags = 0);  // clone(2) itself, as fork(3) calls it
int StartThread();
int MapExecutableMemory();
int MapSharedMemory();   // anonymous
int MapGrowingMemory();  // as a stack does
int MakeMemoryExecutable();

// Files.
int ReadFile();        // open and read /etc/passwd
int CreateFile();      // a new file below /tmp
int OpenForWriting();  // an existing file, O_WRONLY
int CreateMemoryFile();
int MakeSecretMemory();  // memfd_secret, of the size that children reserve
int ControlDevice();     // ioctl of a descriptor that is open already

// Other processes and the kernel.
int TraceSelf();            // ptrace(PTRACE_TRACEME)
int ReadMemoryAsPeer();     // process_vm_readv of itself
int UnshareDescriptors();   // unshare(CLONE_FILES)
int ReadDescriptorTable();  // modify_ldt(0)
int AskPersonality();
int SendSignal();                 // kill(getpid(), 0)
int CallAsForeignArchitecture();  // getpid by int 0x80

// Its own confinement.
int ReplaceHandler();  // sigaction(SIGSYS)
int ArmNewTimer();     // timer_create
int BecomeDumpable();  // prctl(PR_SET_DUMPABLE)
int RaiseLimit();      // prlimit of RLIMIT_CORE

// Ordinary work: memory of every kind a child uses, entropy, clocks.
int UseMemory();

}  // namespace baokms
