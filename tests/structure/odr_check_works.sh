#!/usr/bin/env bash
# Whether the check of make odr can fire: two classes of one name must not link.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/a.cpp" <<'END'
struct Decoder { virtual ~Decoder() = default; virtual int one() const { return 1; } };
Decoder* first() { return new Decoder; }
END
cat >"$folder/b.cpp" <<'END'
struct Decoder { virtual ~Decoder() = default; virtual long two(long) const { return 2; } double more = 0; };
Decoder* second() { return new Decoder; }
struct Other;
Decoder* first();
int main() { return first() == second(); }
END
for name in a b; do "${CXX:-g++}" -std=c++20 -O1 -flto=auto -Werror=odr -c "$folder/$name.cpp" -o "$folder/$name.o"; done
if "${CXX:-g++}" -flto=auto -Werror=odr "$folder/a.o" "$folder/b.o" -o "$folder/both" 2>"$folder/said"; then
  echo "the check of one definition found nothing wrong with two classes of one name" >&2
  exit 1
fi
grep -q "violates the C++ One Definition Rule" "$folder/said"
