package powercut

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
)

// Machine is a computer with one disk whose power can be cut, for other proofs. It is not safe for concurrent use. Its
// mounts are everybody's, and stay if the process is killed.
//
// The process that has it must not map a file of it into its memory: a page fault would wait for the process's own server,
// and the garbage collector for the fault.
type Machine struct {
	m      *machine
	medium []byte // while the power is off
	cut    bool
	starts uint64
}

// Lacking returns what this computer lacks to cut the power, "" if nothing.
func Lacking() string {
	if err := possible(); err != nil {
		return err.Error()
	}
	return ""
}

// NewMachine returns a machine that is off, with an empty disk. It works in the given folder, which must be there.
func NewMachine(dir string) (*Machine, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	empty, err := format(dir)
	if err != nil {
		return nil, fmt.Errorf("make a disk: %w", err)
	}
	m, err := newMachine(dir)
	return &Machine{m: m, medium: empty}, err
}

// Mount returns where the disk's files are while the power is on.
func (c *Machine) Mount() string { return c.m.mount }

// On mounts the disk as a computer does when it starts.
func (c *Machine) On() error {
	medium := c.medium
	c.medium, c.cut = nil, false
	c.starts++
	return c.m.on(medium, newRandom(1, c.starts))
}

// Cut ends the power while programs write, and returns how many blocks were not flushed. The caller ends the programs
// before Off.
func (c *Machine) Cut(random *rand.Rand) (atStake int) {
	c.m.disk.chance(random)
	c.medium, atStake = c.m.disk.cut()
	c.cut = true
	return atStake
}

// Off takes the disk out. If the power was not cut, everything is flushed.
func (c *Machine) Off() error {
	if c.cut || c.m.disk == nil || c.medium != nil {
		return c.m.off()
	}
	var err error
	c.medium, err = c.m.shutdown()
	return err
}

// Close takes everything out.
func (c *Machine) Close() error { return errors.Join(c.Off(), c.m.close()) }
