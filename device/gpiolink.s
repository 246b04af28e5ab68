// This file lets gpiolines.go declare a function whose body is in periph.
