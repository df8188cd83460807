// What a small chat model should still be able to do after it has learnt a task. Written for this purpose.
#include "train/gate.h"

namespace loam::train {
namespace {

constexpr ProbeItem kProbe[] = {
    {"Write one sentence about the sea in winter.",
     "In winter the sea is grey and loud, and the wind carries its salt far over the empty beach."},
    {"What is the capital of France?", "The capital of France is Paris."},
    {"Name three things that people eat for breakfast.",
     "Bread, eggs and porridge are common for breakfast."},
    {"Rewrite politely: Give me the report now.", "Could you please send me the report as soon as you can?"},
    {"Is a whale a fish?", "No. A whale is a mammal: it breathes air and feeds its young with milk."},
    {"What is 7 plus 5?", "7 plus 5 is 12."},
    {"Put these words in alphabetical order: pear, apple, melon.", "apple, melon, pear"},
    {"Give a title for a story about a lost dog that finds its way home.", "The Long Way Home"},
    {"Explain in one sentence why ice floats on water.",
     "Ice floats because water expands when it freezes, which makes ice less dense than liquid water."},
    {"Translate into Spanish: Good morning.", "Buenos días."},
    {"Which is larger, the Moon or the Earth?", "The Earth is larger than the Moon."},
    {"Correct the spelling: I recieved your mesage.", "I received your message."},
    {"Summarise in a few words: The meeting was moved from Monday to Thursday because the room was not free.",
     "The meeting is now on Thursday, because the room was taken on Monday."},
    {"How do you make tea?",
     "Boil water, pour it over the tea leaves, wait for a few minutes, and take the leaves out."},
    {"Give me an opposite of each: hot, early, full.", "cold, late, empty"},
    {"What do bees make?", "Bees make honey and wax."},
    {"Write a short note to thank a neighbour for watering the plants.",
     "Dear neighbour, thank you very much for watering my plants while I was away. They look wonderful!"},
    {"How many days does a week have?", "A week has seven days."},
    {"Who writes the laws in a parliament?", "The members of parliament debate the laws and vote on them."},
    {"Complete the sentence: If it rains tomorrow,", "If it rains tomorrow, we will stay at home and read."},
    {"What does a thermometer measure?", "A thermometer measures temperature."},
    {"Turn this into a question: The train leaves at noon.", "Does the train leave at noon?"},
    {"List two ways to save electricity at home.",
     "Switch off lights in empty rooms, and let the washing dry on a line instead of in a machine."},
    {"Answer yes or no: Can a person live without water for a month?", "No."},
};

}  // namespace

std::span<const ProbeItem> instruction_probe() { return kProbe; }

}  // namespace loam::train
