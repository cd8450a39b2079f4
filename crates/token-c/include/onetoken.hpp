/**
 * @file onetoken.hpp
 * @brief onetoken.h for C++14: answers that free themselves, and exceptions.
 *
 * @code
 * onetoken::answer answer = onetoken::caveat(R"({"text":"time < 1496140144"})");
 * std::cout << answer.c_str();
 * @endcode
 *
 * Each verb takes the request as JSON and returns the answer as JSON, or throws onetoken::error; onetoken::verified and
 * onetoken::confine_typed() take structs. onetoken.h describes the verbs. Every function may be called from any thread.
 */
#ifndef ONETOKEN_HPP
#define ONETOKEN_HPP

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

#include "onetoken.h"

namespace onetoken {

/**
 * @brief Why a verb has no answer.
 *
 * what() is the document, such as `{"code":"token_invalid","detail":{"reason":"signature"}}`. It shows no secret.
 */
class error : public std::runtime_error {
 public:
  error(onetoken_status status, const std::string &document) : std::runtime_error(document), status_(status) {}

  /** Returns the number of the error, such as ONETOKEN_TOKEN_INVALID. */
  onetoken_status status() const noexcept { return status_; }

  /** Returns the word of the error, such as `token_invalid`. */
  const char *code() const noexcept { return onetoken_status_name(status_); }

 private:
  onetoken_status status_;
};

/** @brief An answer: JSON in UTF-8. Can be moved, not copied. Wiped and freed when destroyed. */
class answer {
 public:
  answer() noexcept : buf_() {}
  answer(answer &&other) noexcept : buf_(other.buf_) { other.buf_ = onetoken_buf(); }
  answer &operator=(answer &&other) noexcept {
    if (this != &other) {
      onetoken_buf_free(&buf_);
      buf_ = other.buf_;
      other.buf_ = onetoken_buf();
    }
    return *this;
  }
  answer(const answer &) = delete;
  answer &operator=(const answer &) = delete;
  ~answer() { onetoken_buf_free(&buf_); }

  /** Returns the first byte. Empty text, if the answer was moved from. */
  const char *data() const noexcept { return c_str(); }
  /** Returns the number of bytes. */
  std::size_t size() const noexcept { return buf_.len; }
  /** Returns the text with a NUL at its end. */
  const char *c_str() const noexcept {
    return buf_.data == nullptr ? "" : reinterpret_cast<const char *>(buf_.data);
  }
  /** Copies the text. Nothing wipes the copy. */
  std::string str() const { return std::string(c_str(), size()); }

  /**
   * @brief Calls a function of onetoken.h: `answer::of(onetoken_verify, request)`.
   * @throws error
   */
  template <typename Function>
  static answer of(Function function, const std::string &request) {
    return from([&](onetoken_buf *buf) { return function(request.data(), request.size(), buf); });
  }

  /**
   * @brief Takes what a call puts into a buffer.
   * @throws error
   */
  template <typename Call>
  static answer from(Call call) {
    answer result;
    const onetoken_status status = call(&result.buf_);
    if (status != ONETOKEN_OK) {
      throw error(status, result.str());
    }
    return result;
  }

 private:
  onetoken_buf buf_;
};

/** @name Verbs that need no store
 * @throws error
 * @{ */
inline answer inspect(const std::string &request) { return answer::of(onetoken_inspect, request); }
inline answer confine(const std::string &request) { return answer::of(onetoken_confine, request); }
inline answer caveat(const std::string &request) { return answer::of(onetoken_caveat, request); }
inline answer needs(const std::string &request) { return answer::of(onetoken_needs, request); }
inline answer preflight(const std::string &request) { return answer::of(onetoken_preflight, request); }
inline answer mint(const std::string &request) { return answer::of(onetoken_mint, request); }
inline answer verify(const std::string &request) { return answer::of(onetoken_verify, request); }
inline answer bind(const std::string &request) { return answer::of(onetoken_bind, request); }
inline answer seal(const std::string &request) { return answer::of(onetoken_seal, request); }
inline answer open(const std::string &request) { return answer::of(onetoken_open, request); }
inline answer version(const std::string &request = "{}") { return answer::of(onetoken_version, request); }
/** @} */

/** @name Without JSON
 * Requests by structs, as in onetoken.h: `onetoken_verify_request request{}; request.size = sizeof request;`
 * @{ */

/** Returns a slice of the text, which has to live until the call. */
inline onetoken_slice slice(const std::string &text) noexcept { return {text.data(), text.size()}; }
onetoken_slice slice(std::string &&) = delete;
/** Returns a slice of the text without its NUL. */
inline onetoken_slice slice(const char *text) noexcept { return onetoken_text(text); }

/** @brief What onetoken_verify_typed() found. Can be moved, not copied; a moved one is empty. */
class verified {
 public:
  /** Verifies a token. @throws error */
  explicit verified(const onetoken_verify_request &request) : found_() {
    found_.size = sizeof found_;
    memory_ = answer::from([&](onetoken_buf *buf) { return onetoken_verify_typed(&request, &found_, buf); });
  }
  verified(verified &&other) noexcept : memory_(std::move(other.memory_)), found_(other.found_) {
    other.found_ = onetoken_verified();
  }
  verified &operator=(verified &&other) noexcept {
    if (this != &other) {
      memory_ = std::move(other.memory_);
      found_ = other.found_;
      other.found_ = onetoken_verified();
    }
    return *this;
  }
  verified(const verified &) = delete;
  verified &operator=(const verified &) = delete;
  ~verified() = default;

  /** Gives the members. Their slices are valid as long as this. */
  const onetoken_verified &operator*() const noexcept { return found_; }
  const onetoken_verified *operator->() const noexcept { return &found_; }

 private:
  answer memory_;
  onetoken_verified found_;
};

/** Appends caveats to a token. The answer is the text of the token. @throws error */
inline answer confine_typed(const onetoken_confine_request &request) {
  return answer::from([&](onetoken_buf *buf) { return onetoken_confine_typed(&request, buf); });
}
/** @} */

/**
 * @brief An authority over a store. Can be moved, not copied. Closed when destroyed.
 *
 * Any number of threads may call its verbs at once. Move, close or destroy it only while no call uses it.
 */
class authority {
 public:
  /** Opens a store. @throws error */
  explicit authority(const std::string &request) : handle_(nullptr) {
    answer ignored = answer::of(
        [this](const char *data, std::size_t len, onetoken_buf *buf) {
          return onetoken_authority_open(data, len, &handle_, buf);
        },
        request);
  }
  authority(authority &&other) noexcept : handle_(other.handle_) { other.handle_ = nullptr; }
  authority &operator=(authority &&other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  authority(const authority &) = delete;
  authority &operator=(const authority &) = delete;
  ~authority() { close(); }

  /** Closes the store. Later calls are refused. */
  void close() noexcept { onetoken_authority_close(&handle_); }

  answer mint(const std::string &request) const { return call(onetoken_authority_mint, request); }
  answer check(const std::string &request) const { return call(onetoken_authority_check, request); }
  answer consume(const std::string &request) const { return call(onetoken_authority_consume, request); }
  answer refund(const std::string &request) const { return call(onetoken_authority_refund, request); }
  answer revoke(const std::string &request) const { return call(onetoken_authority_revoke, request); }
  answer unrevoke(const std::string &request) const { return call(onetoken_authority_unrevoke, request); }
  answer remove(const std::string &request) const { return call(onetoken_authority_delete, request); }
  answer list(const std::string &request) const { return call(onetoken_authority_list, request); }
  answer void_temporary(const std::string &request) const { return call(onetoken_authority_void_temporary, request); }
  answer events(const std::string &request) const { return call(onetoken_authority_events, request); }
  answer purge(const std::string &request) const { return call(onetoken_authority_purge, request); }

 private:
  using function = onetoken_status (*)(const onetoken_authority *, const char *, std::size_t, onetoken_buf *);

  answer call(function verb, const std::string &request) const {
    return answer::of(
        [this, verb](const char *data, std::size_t len, onetoken_buf *buf) { return verb(handle_, data, len, buf); },
        request);
  }

  onetoken_authority *handle_;
};

}  // namespace onetoken

#endif
