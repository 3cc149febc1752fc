#pragma once
#include <gtest/gtest.h>

#include <string>

/// A message, which is one line, has this part.
#define EXPECT_SAYS(text, part)                            \
  do {                                                     \
    const std::string said = (text);                       \
    EXPECT_NE(said.find(part), std::string::npos) << said; \
    EXPECT_EQ(said.find('\n'), std::string::npos) << said; \
  } while (false)
