// Mints a token and verifies it, in time and too late.
//
//   c++ -std=c++14 verify.cpp $(pkg-config --cflags --libs onetoken) -o verify
#include <iostream>
#include <onetoken.hpp>
#include <string>

namespace {

const std::string secret = R"("secret":"an example secret of 32 bytes or more")";

std::string at(const std::string &token, const char *now) {
  return R"({"token":")" + token + "\"," + secret + R"(,"context":{"now":)" + now + "}}";
}

}  // namespace

int main() {
  try {
    const onetoken::answer minted = onetoken::mint(
        "{" + secret + R"(,"location":"onezone.example.com","identifier":"id1","caveats":["time < 2000000000"]})");
    // A program with a JSON library reads the answer with that.
    std::string token = minted.str();
    token = token.substr(10, token.size() - 12);

    std::cout << onetoken::verify(at(token, "1700000000")).c_str() << '\n';
    onetoken::verify(at(token, "2000000000"));
  } catch (const onetoken::error &error) {
    std::cout << error.code() << ": " << error.what() << '\n';
    return error.status() == ONETOKEN_TOKEN_CAVEAT_UNVERIFIED ? 0 : 1;
  }
  return 1;
}
