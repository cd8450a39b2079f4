// onetoken.hpp: the table of cases through exceptions, and who owns an answer: shell DIRECTORY
#include "onetoken.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "check.h"
#include "sample.h"

static_assert(!std::is_copy_constructible<onetoken::answer>::value && !std::is_copy_assignable<onetoken::answer>::value,
              "an answer has one owner");
static_assert(std::is_nothrow_move_constructible<onetoken::answer>::value &&
                  std::is_nothrow_move_assignable<onetoken::answer>::value,
              "an answer can be moved");
static_assert(!std::is_copy_constructible<onetoken::authority>::value && !std::is_copy_assignable<onetoken::authority>::value,
              "an authority has one owner");
static_assert(std::is_nothrow_move_constructible<onetoken::authority>::value &&
                  std::is_nothrow_move_assignable<onetoken::authority>::value,
              "an authority can be moved");
static_assert(!std::is_copy_constructible<onetoken::verified>::value && !std::is_copy_assignable<onetoken::verified>::value,
              "what was verified has one owner");
static_assert(std::is_nothrow_move_constructible<onetoken::verified>::value &&
                  std::is_nothrow_move_assignable<onetoken::verified>::value,
              "what was verified can be moved");
static_assert(std::is_nothrow_copy_constructible<onetoken::error>::value, "an exception can be copied");

namespace {

using verb = std::function<onetoken::answer(const std::string &)>;

const std::map<std::string, verb> verbs = {
    {"inspect", onetoken::inspect}, {"confine", onetoken::confine},     {"caveat", onetoken::caveat},
    {"needs", onetoken::needs},     {"preflight", onetoken::preflight}, {"mint", onetoken::mint},
    {"verify", onetoken::verify},   {"bind", onetoken::bind},           {"seal", onetoken::seal},
    {"open", onetoken::open},       {"version", onetoken::version},
};

void cases(const json *all) {
  int run = 0;
  for (const json *it = all->first; it != nullptr; it = it->next) {
    const char *name = json_text(it, "name"), *raw = json_text(it, "json");
    const auto found = verbs.find(json_text(it, "verb"));
    if (found == verbs.end()) continue;
    run++;
    const json *expected = json_get(it, "error");
    try {
      const onetoken::answer answer = found->second(raw != nullptr ? raw : json_write(json_get(it, "request")));
      CHECK(expected == nullptr && json_equal(json_read(answer.c_str()), json_get(it, "answer")), "%s: %s", name, answer.c_str());
      CHECK(answer.str().size() == answer.size(), "%s", name);
    } catch (const onetoken::error &error) {
      const json *document = json_read(error.what());
      CHECK(std::string(json_text(document, "code")) == error.code(), "%s: %s", name, error.what());
      CHECK(error.status() != ONETOKEN_OK, "%s", name);
      CHECK(json_equal(raw != nullptr ? document : placeless(document), expected), "%s: %s", name, error.what());
    }
  }
  CHECK(run > 80, "%d", run);
}

void ownership() {
  onetoken::answer first = onetoken::verify(SAMPLE_VERIFY);
  const char *const where = first.data();
  onetoken::answer second = std::move(first);
  CHECK(second.data() == where && second.str() == SAMPLE_VERIFIED, "%s", second.c_str());
  CHECK(first.size() == 0 && first.str().empty(), "%s", first.c_str());
  first = std::move(second);
  CHECK(first.data() == where && second.size() == 0, "%s", first.c_str());
  onetoken::answer &same = first;
  first = std::move(same);
  CHECK(first.str() == SAMPLE_VERIFIED, "%s", first.c_str());
  first = onetoken::mint(SAMPLE_MINT);
  CHECK(first.str() == SAMPLE_MINTED, "%s", first.c_str());
  std::vector<onetoken::answer> many;
  for (int at = 0; at < 100; at++) many.push_back(onetoken::inspect(SAMPLE_INSPECT));
  CHECK(many.front().str() == many.back().str(), "%s", many.front().c_str());
}

onetoken_verify_request at(std::uint64_t now) { return sample_request(now); }

void by_structs() {
  onetoken::verified first(at(1000));
  CHECK(is_sample(&*first), "%s", first->identifier.data);
  onetoken::verified second = std::move(first);
  CHECK(is_sample(&*second) && first->identifier.data == nullptr && first->caveats.len == 0, "moved");
  first = std::move(second);
  CHECK(is_sample(&*first) && second->identifier.data == nullptr, "moved back");
  onetoken::verified &same = first;
  first = std::move(same);
  CHECK(is_sample(&*first), "moved to itself");
  try {
    onetoken::verified late(at(2000));
    CHECK(false, "verified too late");
  } catch (const onetoken::error &error) {
    CHECK(error.status() == ONETOKEN_TOKEN_CAVEAT_UNVERIFIED && std::string(error.what()) == SAMPLE_EXPIRED, "%s", error.what());
  }
  const std::string token = SAMPLE_TOKEN, text = "interface = rest";
  const onetoken_slice caveat = onetoken::slice(text);
  onetoken_confine_request request{};
  request.size = sizeof request;
  request.token = onetoken::slice(token);
  request.caveats = {&caveat, 1};
  const std::string confined = onetoken::confine_typed(request).str();
  CHECK(onetoken::confine(SAMPLE_CONFINE).str() == R"({"token":")" + confined + "\"}", "%s", confined.c_str());
}

onetoken_status status_of(const std::function<void()> &call) {
  try {
    call();
    return ONETOKEN_OK;
  } catch (const onetoken::error &error) {
    return error.status();
  }
}

void authorities() {
  CHECK(status_of([] { onetoken::authority("{}"); }) == ONETOKEN_INVALID_ARGUMENT, "no store");
  onetoken::authority first(R"({"store":"memory:"})"), second(R"({"store":"memory:"})");
  const json *minted = json_read(
      first.mint(R"({"type":"space-support","target":"s1","issuer":"usr-u1","decision":"allowed"})").c_str());
  const std::string token = std::string(R"({"token":")") + json_text(minted, "token") + '"';
  const std::string check = token + "}", more = token + R"(,"expect":"space-support","context":{"consumer":"prv-p1"})";
  CHECK(first.check(check).str().find("space-support") != std::string::npos, "check");
  CHECK(status_of([&] { second.check(check); }) == ONETOKEN_TOKEN_INVALID, "another store");

  // The one use, its refund, and its end.
  const std::string consume = more + R"(,"decision":"allowed","claim":"1"})";
  const json *consumed = json_read(first.consume(consume).c_str());
  const std::string refund = json_write(json_add(json_new('{'), "refund", json_get(consumed, "refund")));
  CHECK(first.refund(refund).str().find("refunded") != std::string::npos, "refund");
  first.consume(consume);
  const std::string again = more + R"(,"decision":"allowed","claim":"2"})";
  CHECK(status_of([&] { first.consume(again); }) == ONETOKEN_INVITE_TOKEN_USAGE_LIMIT_EXCEEDED, "spent");
  first.revoke(token + R"(,"reversible":true})");
  CHECK(status_of([&] { first.check(check); }) == ONETOKEN_TOKEN_REVOKED, "revoked");
  first.unrevoke(check);
  CHECK(first.list(R"({"issuer":"usr-u1"})").str().find(json_text(minted, "id")) != std::string::npos, "list");
  CHECK(first.remove(check).str().find("deleted") != std::string::npos, "remove");
  CHECK(first.events("{}").size() > 0 && first.purge("{}").size() > 0, "events and purge");
  CHECK(first.void_temporary(R"({"subject":"usr-u1"})").size() > 0, "void_temporary");

  // Moved, the token is where the store is.
  const std::string mint = R"({"type":"access","issuer":"usr-u1","decision":"allowed"})";
  const std::string access = std::string(R"({"token":")") + json_text(json_read(first.mint(mint).c_str()), "token") + "\"}";
  onetoken::authority third = std::move(first);
  CHECK(status_of([&] { first.check(access); }) == ONETOKEN_INVALID_ARGUMENT, "moved from");
  second = std::move(third);
  CHECK(status_of([&] { second.check(access); }) == ONETOKEN_OK, "moved to");
  second.close();
  second.close();
  CHECK(status_of([&] { second.check(access); }) == ONETOKEN_INVALID_ARGUMENT, "closed");
}

void in_threads() {
  std::vector<std::thread> all;
  std::vector<int> refused(64);
  for (int &count : refused) {
    all.emplace_back([&count] {
      for (int round = 0; round < 50; round++) {
        try {
          onetoken::verify(SAMPLE_LATE);
        } catch (const onetoken::error &error) {
          count += error.status() == ONETOKEN_TOKEN_CAVEAT_UNVERIFIED;
        }
      }
    });
  }
  for (std::thread &thread : all) thread.join();
  for (int count : refused) CHECK(count == 50, "%d", count);
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  cases(json_load(argv[1], "cases.json"));
  ownership();
  by_structs();
  authorities();
  in_threads();
  return report("shell");
}
