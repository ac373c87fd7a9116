// A PKCS#11 module in front of SoftHSM that does what SoftHSM never does: it hangs, loses its
// session, lacks mechanisms, and locks the PIN after three wrong ones, as real tokens do.
//
// Variables: FAULTY_FOLDER holds files that are read before a call: "hang-<function>" makes it
// sleep for ever, "fail-<function>" with a number in it makes it return that CK_RV, and
// "forbid-<number>" makes that mechanism unknown, "hide-<number>" that attribute, and
// "deny-<number>" makes that attribute false. FAULTY_COUNT
// is a file to which each C_Login adds a byte: "." for one that reached the token, "x" for one that
// was refused; after three "x" every C_Login gives CKR_PIN_LOCKED. FAULTY_MODULE is the real
// module.

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <p11-kit/pkcs11.h>

namespace {

CK_FUNCTION_LIST_PTR real = nullptr;
CK_FUNCTION_LIST faulty;

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// CKR_OK, or what the call has to return instead of doing its work.
CK_RV Fault(const std::string& function) {
  const std::string folder = Variable("FAULTY_FOLDER") + "/";
  while (::access((folder + "hang-" + function).c_str(), F_OK) == 0) {
    ::sleep(1);
  }
  std::ifstream file(folder + "fail-" + function);
  CK_RV result = CKR_OK;
  file >> result;
  return result;
}

std::string Counted() {
  std::ifstream file(Variable("FAULTY_COUNT"));
  return {std::istreambuf_iterator<char>(file), {}};
}

void Count(char mark) {
  const int fd = ::open(Variable("FAULTY_COUNT").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd >= 0) {
    (void)!::write(fd, &mark, 1);
    ::close(fd);
  }
}

CK_RV Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG size) {
  if (const CK_RV fault = Fault("C_Login"); fault != CKR_OK) {
    return fault;
  }
  const std::string counted = Counted();
  if (std::count(counted.begin(), counted.end(), 'x') >= 3) {
    return CKR_PIN_LOCKED;
  }
  const CK_RV result = real->C_Login(session, user, pin, size);
  Count(result == CKR_PIN_INCORRECT ? 'x' : '.');
  return result;
}

CK_RV Sign(CK_SESSION_HANDLE session,
           CK_BYTE_PTR data,
           CK_ULONG data_size,
           CK_BYTE_PTR signature,
           CK_ULONG_PTR size) {
  const CK_RV fault = Fault("C_Sign");
  return fault == CKR_OK ? real->C_Sign(session, data, data_size, signature, size) : fault;
}

bool Forbidden(CK_MECHANISM_TYPE mechanism) {
  const std::string file = Variable("FAULTY_FOLDER") + "/forbid-" + std::to_string(mechanism);
  return ::access(file.c_str(), F_OK) == 0;
}

CK_RV GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info) {
  return Forbidden(type) ? CKR_MECHANISM_INVALID : real->C_GetMechanismInfo(slot, type, info);
}

// As tokens do that do not have one of the attributes: the rest is answered.
CK_RV GetAttributeValue(CK_SESSION_HANDLE session,
                        CK_OBJECT_HANDLE object,
                        CK_ATTRIBUTE_PTR attributes,
                        CK_ULONG count) {
  CK_RV result = real->C_GetAttributeValue(session, object, attributes, count);
  for (CK_ULONG i = 0; i < count; ++i) {
    const std::string folder = Variable("FAULTY_FOLDER");
    const std::string type = std::to_string(attributes[i].type);
    if (::access((folder + "/deny-" + type).c_str(), F_OK) == 0 &&
        attributes[i].ulValueLen == sizeof(CK_BBOOL)) {
      *static_cast<CK_BBOOL*>(attributes[i].pValue) = CK_FALSE;
    }
    if (::access((folder + "/hide-" + type).c_str(), F_OK) == 0) {
      attributes[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
      result = CKR_ATTRIBUTE_TYPE_INVALID;
    }
  }
  return result;
}

CK_RV SignInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  return Forbidden(mechanism->mechanism) ? CKR_MECHANISM_INVALID
                                         : real->C_SignInit(session, mechanism, key);
}

CK_RV OpenSession(CK_SLOT_ID slot,
                  CK_FLAGS flags,
                  CK_VOID_PTR application,
                  CK_NOTIFY notify,
                  CK_SESSION_HANDLE_PTR session) {
  const CK_RV fault = Fault("C_OpenSession");
  return fault == CKR_OK ? real->C_OpenSession(slot, flags, application, notify, session) : fault;
}

}  // namespace

extern "C" CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  if (real == nullptr) {
    void* module = ::dlopen(Variable("FAULTY_MODULE").c_str(), RTLD_NOW | RTLD_LOCAL);
    void* entry = module == nullptr ? nullptr : ::dlsym(module, "C_GetFunctionList");
    if (entry == nullptr || reinterpret_cast<CK_C_GetFunctionList>(entry)(&real) != CKR_OK) {
      return CKR_GENERAL_ERROR;
    }
    faulty = *real;
    faulty.C_Login = Login;
    faulty.C_GetMechanismInfo = GetMechanismInfo;
    faulty.C_GetAttributeValue = GetAttributeValue;
    faulty.C_SignInit = SignInit;
    faulty.C_Sign = Sign;
    faulty.C_OpenSession = OpenSession;
  }
  *list = &faulty;
  return CKR_OK;
}
