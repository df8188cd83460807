#include "cli/cli.h"

int main(int argc, char** argv) { return loam::cli::run(argc, argv); }
