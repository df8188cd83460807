run loam ask --pasages 3 "Q"
expect exit 2
expect err contains Try: --passages
run loam ask --grammar g "Q"
expect exit 2
expect err contains belongs to loam generate
