package powercut

import (
	"fmt"
	"io"
	"os/exec"
	"time"
)

// process is a running writer.
type process struct {
	account account
	begun   chan struct{} // closed when it has begun to work
	ended   chan struct{} // closed when it has said its last word
	early   bool          // it ended before the power was cut
	command *exec.Cmd
	input   io.WriteCloser
}

// start starts a writer. Its account goes on from what is expected; onMark is called with each mark that it sets.
func start(j job, l expected, onMark func(name string, count int)) (*process, error) {
	c, err := j.command()
	if err != nil {
		return nil, err
	}
	p := &process{begun: make(chan struct{}), ended: make(chan struct{}), command: c}
	p.account.expected, p.account.started = l, p.begun
	if p.input, err = c.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start the writer: %w", err)
	}
	go func() {
		defer close(p.ended)
		p.account.listen(out, onMark)
	}()
	return p, nil
}

// kill ends a writer that has no power any more. It has a moment to say what it was doing.
func (p *process) kill() {
	select {
	case <-p.ended:
	case <-time.After(20 * time.Millisecond):
	}
	_ = p.command.Process.Kill() // it may have ended
	<-p.ended
	_ = p.command.Wait() // killed
}
