module haochaping

go 1.26.0
