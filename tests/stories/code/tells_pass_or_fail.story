# The small default model is a weak programmer; what is promised is that the verdict is that of the tests.
file tests.py: assert never_defined_anywhere_4711(2, 3) == object()
run loam code "Write a function add(a, b)." --tests tests.py --max-tokens 48 --json
expect exit 1
expect json /passed == false
expect json /failure is text
expect json /attempts/length == 1
expect json /attempts/0/passed == false
run loam code "Write a function add(a, b)." --tests tests.py --max-tokens 48
expect exit 1
expect out contains FAIL
