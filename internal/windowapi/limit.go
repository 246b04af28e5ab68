package windowapi

import (
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits of a client. A business system opens a few visits in a minute; these leave room for fifty PCs that poll, and none for
// one that has gone mad.
const (
	requestRate  = 100 // per second and client
	requestBurst = 200
	changeRate   = 10 // of requests that have something recorded, each of which wears the storage card
	changeBurst  = 50
	failureRate  = 5 // refused tokens per second and in all
	failureBurst = 20
	maxStreams   = 8  // event streams of one client
	maxPolls     = 32 // requests of one client that wait for the end of a visit
	maxOpens     = 16 // visits of one client that wait for the disk, also after their requests have ended
)

// clients counts what each client does. It is safe for concurrent use.
type clients struct {
	now      func() time.Time
	failures *rate.Limiter

	mu  sync.Mutex
	all map[string]*client
}

type client struct {
	requests, changes *rate.Limiter
	streams, polls    int
	opens             int
}

func newClients(now func() time.Time) *clients {
	return &clients{now: now, failures: rate.NewLimiter(failureRate, failureBurst), all: make(map[string]*client)}
}

// get needs mu. There are as many clients as tokens.
func (c *clients) get(name string) *client {
	k, ok := c.all[name]
	if !ok {
		k = &client{requests: rate.NewLimiter(requestRate, requestBurst), changes: rate.NewLimiter(changeRate, changeBurst)}
		c.all[name] = k
	}
	return k
}

// allow reports whether a client may send another request now.
func (c *clients) allow(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.get(name).requests.AllowN(c.now(), 1)
}

// change reports whether a client may have something recorded now.
func (c *clients) change(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.get(name).changes.AllowN(c.now(), 1)
}

// failed reports whether a request with a wrong token is still answered by saying so.
func (c *clients) failed() bool { return c.failures.AllowN(c.now(), 1) }

// hold counts a request that lasts, unless the client has most of them already. The release is to be called once.
func (c *clients) hold(name string, counter func(*client) *int, most int) (release func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := counter(c.get(name))
	if *n >= most {
		return nil, false
	}
	*n++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		*n--
	}, true
}

func streamsOf(c *client) *int { return &c.streams }
func pollsOf(c *client) *int   { return &c.polls }
func opensOf(c *client) *int   { return &c.opens }

// Limits of connections, so that a client that opens many and sends nothing keeps nobody else out.
const (
	maxConnections    = 512
	maxConnectionsPer = 64 // from one address, loopback excepted
)

// limitedListener closes connections beyond the limits as soon as they come.
type limitedListener struct {
	net.Listener

	mu    sync.Mutex
	total int
	by    map[string]int
}

func newLimitedListener(l net.Listener) *limitedListener {
	return &limitedListener{Listener: l, by: make(map[string]int)}
}

// Accept returns the next connection within the limits.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil {
			host = c.RemoteAddr().String()
		}
		if l.enter(host) {
			return &limitedConn{Conn: c, leave: sync.OnceFunc(func() { l.leave(host) })}, nil
		}
		_ = c.Close() // a client beyond the limits is no error of ours
	}
}

func (l *limitedListener) enter(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	ip := net.ParseIP(host)
	local := ip != nil && ip.IsLoopback()
	if l.total >= maxConnections || !local && l.by[host] >= maxConnectionsPer {
		return false
	}
	l.total++
	l.by[host]++
	return true
}

func (l *limitedListener) leave(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.by[host]--; l.by[host] == 0 {
		delete(l.by, host)
	}
}

type limitedConn struct {
	net.Conn
	leave func()
}

// Close closes the connection and makes room for another.
func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
