#include "engine/threads.h"

#include <gtest/gtest.h>

namespace loam::engine {
namespace {

TEST(Threads, reads_the_runnable_tasks_of_a_load_line) {
  EXPECT_EQ(runnable_tasks("0.20 0.18 0.12 3/80 11206\n"), 3);
  EXPECT_EQ(runnable_tasks("12.36 12.51 10.40 17/402 9"), 17);
  for (const char* line :
       {"", "0.20", "0.20 0.18 0.12", "0.20 0.18 0.12 3", "0.20 0.18 0.12 x/80 1", "a b c -3/80 1"}) {
    EXPECT_FALSE(runnable_tasks(line)) << line;
  }
}

// proves P-ENG-20
TEST(Threads, a_busy_machine_leaves_fewer_threads_but_always_one) {
  EXPECT_EQ(threads_beside(8, 0), 8);
  EXPECT_EQ(threads_beside(8, 3), 5);
  EXPECT_EQ(threads_beside(2, 1), 1);
  EXPECT_EQ(threads_beside(2, 12), 1);
  EXPECT_EQ(threads_beside(4, -1), 4);
}

TEST(Threads, a_number_that_was_asked_for_is_taken) {
  EXPECT_EQ(free_threads(3), 3);
  EXPECT_GE(free_threads(0), 1);
}

}  // namespace
}  // namespace loam::engine
