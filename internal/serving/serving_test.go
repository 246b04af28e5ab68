package serving

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestWhatIsUnderWayIsAnswered ends a server while a request is answered, once in time and once not.
func TestWhatIsUnderWayIsAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		grace time.Duration
		want  bool // the request is answered
	}{"in time": {time.Minute, true}, "too late": {time.Millisecond, false}} {
		t.Run(name, func(t *testing.T) {
			begun, goOn := make(chan struct{}), make(chan struct{})
			s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(begun)
				<-goOn
				_, _ = io.WriteString(w, "answered") // who asked may have gone
			})}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended, answer := make(chan error, 1), make(chan string, 1)
			go func() { ended <- Until(ctx, s, l, c.grace) }()
			go func() {
				text := ""
				if resp, err := http.Get("http://" + l.Addr().String()); err == nil {
					b, _ := io.ReadAll(resp.Body) // what is cut off is no answer
					_ = resp.Body.Close()
					text = string(b)
				}
				answer <- text
			}()
			<-begun
			cancel()
			if !c.want {
				if err := <-ended; err != nil { // which waits for no answer
					t.Errorf("the server ended with %v", err)
				}
				ended <- nil
			}
			close(goOn)
			if got := <-answer; (got == "answered") != c.want {
				t.Errorf("the request is answered %q", got)
			}
			if err := <-ended; err != nil {
				t.Errorf("the server ended with %v", err)
			}
		})
	}
}

// TestAListenerThatFailsEndsTheServer says which one it was.
func TestAListenerThatFailsEndsTheServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Until(t.Context(), new(http.Server), l, time.Second); err == nil {
		t.Error("a listener that is closed serves")
	}
}
