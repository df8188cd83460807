# proves P-TASK-02
file report.md:
    # Town library

    ## Opening hours
    The library opens at nine on weekdays and at eleven on Saturdays. On Sundays it is closed.

    ## Lending
    Members may borrow six books for four weeks. Late books cost twenty cents a day.

run loam summarise report.md --sentences 2 --json
expect exit 0
expect json /summary is text
expect json /coverage/read >= 1
expect json /sentences/0/supported == true
expect json /sentences/length <= 2
expect json /citations/0/source == "report.md"
expect json /baseline/summary is text
expect quotes-match
