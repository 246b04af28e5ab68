package main

import (
	"io"
	"os"
	"time"

	"haochaping/device"
	"haochaping/internal/kernelclock"
	"haochaping/internal/sdnotify"
	"haochaping/internal/supportfile"
)

// gpioOpener finds GPIO lines by their names.
type gpioOpener func(refs []string) ([]device.GPIOLine, io.Closer, error)

// environment is the machine that the daemon runs on.
type environment struct {
	stdout, stderr io.Writer
	tail           *supportfile.Tail // of the daemon's log
	bootID         func() (string, error)
	mono           func() time.Duration
	wall           func() time.Time
	synced         func() bool
	openGPIO       gpioOpener
	freeGPIO       gpioFinder
	lackingGPIO    func(refs []string) error // why lines cannot be used
	manager        func() (*sdnotify.Manager, error)
	supervised     bool // a service manager starts the daemon again when it ends
	openOutputs    outputOpener
	aplay          string // the program that plays sound
	soundCards     string // the kernel's list of sound cards
	unitFolders    []string
	become         func(user string) error // gives the process that account for good
}

// machine returns the real machine.
func machine(stdout, stderr io.Writer) environment {
	chips := device.NewChips()
	return environment{
		stdout: stdout, stderr: stderr, bootID: bootID, mono: kernelclock.SinceBoot, wall: time.Now, synced: clockSynced,
		manager:  func() (*sdnotify.Manager, error) { return sdnotify.Connect(os.Getenv, os.Getpid()) },
		openGPIO: chips.Open, lackingGPIO: chips.Lacking,
		freeGPIO:    func(but []string) (freeLines, error) { return chips.Free(but) },
		openOutputs: func(refs []string, activeLow bool) (outputs, error) { return chips.OpenOutputs(refs, activeLow) },
		aplay:       "aplay", soundCards: "/proc/asound/cards", unitFolders: unitFolders(), become: becomeUser,
	}
}
