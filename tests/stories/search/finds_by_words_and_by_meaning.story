file leave.md: Employees have 27 days of annual leave.
file car.md: The parking garage is open from six in the morning.
ingest leave.md car.md
search holiday entitlement of staff
expect exit 0
expect json /hits/0/source == "leave.md"
search parking garage
expect json /hits/0/source == "car.md"
