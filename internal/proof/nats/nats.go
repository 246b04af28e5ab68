// Package nats runs clusters of nats-server on loopback, by the configuration in deploy/broker/nats but for ports, folders and TLS.
package nats

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"haochaping/internal/proof/testkit"
)

// Cluster is some nodes.
type Cluster struct {
	program string
	nodes   []*node
}

type node struct {
	folder string
	mqtt   string // its address
	cmd    *exec.Cmd
	ended  chan struct{} // closed when cmd has ended
	log    *os.File
}

// Options say what differs from the configuration that is shipped.
type Options struct {
	Nodes      int
	Partitions int    // 0: no mapping
	Users      string // in place of users.conf; "" lets everybody in
	// MQTT stands in the listener's part in place of the shipped tls block; "" is no TLS.
	MQTT string
}

// Start starts a cluster in a folder. It needs Go, which builds nats-server as .ci/tools.mod pins it.
func Start(folder string, o Options) (c *Cluster, err error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	build := exec.Command("go", "tool", "-modfile="+filepath.Join(root, ".ci", "tools.mod"), "-n", "nats-server")
	build.Dir, build.Stderr, build.Env = root, os.Stderr, testkit.BuildEnv()
	program, err := build.Output()
	if err != nil {
		return nil, fmt.Errorf("build nats-server: %w", err)
	}
	shipped, err := os.ReadFile(filepath.Join(root, "deploy", "broker", "nats", "nats-server.conf"))
	if err != nil {
		return nil, err
	}
	c = &Cluster{program: strings.TrimSpace(string(program))}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	var routes []string
	var clusters []string
	for range o.Nodes {
		at, err := testkit.FreeAddress()
		if err != nil {
			return c, err
		}
		clusters, routes = append(clusters, at), append(routes, "nats://"+at)
	}
	for i := range o.Nodes {
		n := &node{folder: filepath.Join(folder, fmt.Sprintf("n%d", i+1))}
		if err := os.MkdirAll(n.folder, 0o700); err != nil {
			return c, err
		}
		if n.mqtt, err = testkit.FreeAddress(); err != nil {
			return c, err
		}
		client, err := testkit.FreeAddress()
		if err != nil {
			return c, err
		}
		text := adapt(string(shipped), o, map[string]string{
			"server_name: n1": fmt.Sprintf("server_name: n%d", i+1), "listen: 127.0.0.1:4222": "listen: " + client,
			"0.0.0.0:8883": n.mqtt, "0.0.0.0:6222": clusters[i], "/var/lib/nats": n.folder,
		})
		text = regexp.MustCompile(`routes: \[.*\]`).ReplaceAllString(text, "routes: ["+strings.Join(routes, ", ")+"]")
		err = errors.Join(os.WriteFile(filepath.Join(n.folder, "nats.conf"), []byte(text), 0o600),
			os.WriteFile(filepath.Join(n.folder, "users.conf"), []byte(o.Users), 0o600))
		if err != nil {
			return c, err
		}
		c.nodes = append(c.nodes, n)
	}
	for i := range c.nodes {
		if err := c.StartNode(i); err != nil {
			return c, err
		}
	}
	return c, nil
}

// adapt changes the shipped configuration for loopback.
func adapt(text string, o Options, changes map[string]string) string {
	var pairs []string
	for from, to := range changes {
		pairs = append(pairs, from, to)
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	text = regexp.MustCompile(`(?m)^http: .*\n`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`(?m)^  tls \{.*\n`).ReplaceAllLiteralString(text, o.MQTT+"\n")
	if o.Nodes == 1 { // a single node has no cluster to replicate in
		text = regexp.MustCompile(`(?ms)^cluster \{.*?^\}\n`).ReplaceAllString(text, "")
		text = strings.Replace(text, "stream_replicas: 3", "stream_replicas: 1", 1)
	}
	if o.Partitions == 0 {
		return regexp.MustCompile(`(?m)^mappings .*\n`).ReplaceAllString(text, "")
	}
	return strings.Replace(text, "partition(12,1)", fmt.Sprintf("partition(%d,1)", o.Partitions), 1)
}

// Address returns where a node speaks MQTT.
func (c *Cluster) Address(i int) string { return c.nodes[i].mqtt }

// listensWithin is how long a node may take to listen on a busy machine.
const listensWithin = 3 * time.Minute

// StartNode starts a node and waits until it listens, which may be before it takes logins. The error says what the node has said.
func (c *Cluster) StartNode(i int) (err error) {
	n := c.nodes[i]
	if n.log, err = os.OpenFile(filepath.Join(n.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	n.cmd = exec.Command(c.program, "-c", filepath.Join(n.folder, "nats.conf"))
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		n.cmd = nil
		return errors.Join(err, n.log.Close())
	}
	cmd, ended := n.cmd, make(chan struct{})
	n.ended = ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // killed, or it says why in its log
	}()
	for end := time.Now().Add(listensWithin); ; {
		conn, err := net.Dial("tcp", n.mqtt)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ended:
			return fmt.Errorf("nats-server has ended:\n%s", c.Log(i))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			return fmt.Errorf("nats-server does not listen: %w\n%s", err, c.Log(i))
		}
	}
}

// Kill ends a node as a power cut would.
func (c *Cluster) Kill(i int) {
	n := c.nodes[i]
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill()
	<-n.ended
	_ = n.log.Close()
	n.cmd = nil
}

// Reload has a node read its configuration again, with other users.
func (c *Cluster) Reload(i int, users string) error {
	n := c.nodes[i]
	if err := os.WriteFile(filepath.Join(n.folder, "users.conf"), []byte(users), 0o600); err != nil {
		return err
	}
	return n.cmd.Process.Signal(syscall.SIGHUP)
}

// Log returns what a node has said.
func (c *Cluster) Log(i int) string {
	b, _ := os.ReadFile(filepath.Join(c.nodes[i].folder, "log"))
	return string(b)
}

// Close ends all nodes.
func (c *Cluster) Close() {
	for i := range c.nodes {
		c.Kill(i)
	}
}

// moduleRoot returns the folder of this module's go.mod.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}
