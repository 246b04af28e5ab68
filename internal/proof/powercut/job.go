package powercut

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// jobEnv is how the harness tells a process of its own program that it is the writer, and what to do.
const jobEnv = "POWERCUT_JOB"

// device is the box whose log it is.
const device = "cut-box"

// job is what a writer has to do.
type job struct {
	Path  string // of the log
	Seed  uint64 // of what is done
	Run   uint64 // number of this writer among those of the disk; makes its records unlike all others
	Begin string // what to begin with, "" if nothing special
	Build Build
}

// What a writer can begin with.
const (
	beginCompact     = "compact"     // release everything and compact
	beginAcknowledge = "acknowledge" // release so much at once that the store writes it without waiting for an append
	beginMeasure     = "measure"     // measure, and end
)

// Child does a writer's work if this process was started as one, and reports whether it was. A program that cuts the power
// calls it first of all.
func Child() bool {
	text, ok := os.LookupEnv(jobEnv)
	if !ok {
		return false
	}
	var j job
	err := json.Unmarshal([]byte(text), &j)
	if err == nil {
		err = write(j, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Println(saidFailed, err)
	}
	return true
}

// command returns the writer as a command that has not been started. It dies with the harness's thread.
func (j job) command() (*exec.Cmd, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	c := exec.Command("/proc/self/exe")
	// One thread works, so one heap of few megabytes is enough: less to set up and take down for each cut.
	c.Env = append(os.Environ(), jobEnv+"="+string(text), "GOMAXPROCS=1")
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c, nil
}
