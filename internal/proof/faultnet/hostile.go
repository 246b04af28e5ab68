package faultnet

import (
	"bufio"
	"fmt"
	"io"
	"net"
)

// Types of MQTT 3.1.1 packets, as the upper half of a packet's first byte.
const (
	connectPacket   = 0x10
	subscribePacket = 0x80
	pingPacket      = 0xc0
)

// Answers to a CONNECT.
var (
	welcome    = []byte{0x20, 2, 0, 0}
	notAllowed = []byte{0x20, 2, 0, 5}
)

// Hangup accepts and closes at once.
func Hangup(net.Conn, func() (net.Conn, error)) {}

// Mute takes everything and never answers.
func Mute(client net.Conn, _ func() (net.Conn, error)) { _, _ = io.Copy(io.Discard, client) }

// Portal is a captive portal: whatever is said to it, it answers with a page that asks for a telephone number.
func Portal(client net.Conn, _ func() (net.Conn, error)) {
	if _, err := client.Read(make([]byte, 4096)); err != nil {
		return
	}
	const page = "<html><head><title>登录</title></head><body>请输入手机号码上网</body></html>"
	_, _ = fmt.Fprintf(client, "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/login\r\nContent-Type: text/html\r\nContent-Length: %d\r\n"+
		"\r\n%s", len(page), page)
	_, _ = io.Copy(io.Discard, client)
}

// NoLogin is a broker that refuses every login.
func NoLogin(client net.Conn, _ func() (net.Conn, error)) {
	if kind, _, err := packet(bufio.NewReader(client)); err == nil && kind == connectPacket {
		_, _ = client.Write(notAllowed)
	}
}

// Indifferent is a broker that lets everybody in and answers nothing more, not even a PINGREQ.
func Indifferent(client net.Conn, _ func() (net.Conn, error)) {
	r := bufio.NewReader(client)
	if kind, _, err := packet(r); err == nil && kind == connectPacket {
		_, _ = client.Write(welcome)
		_, _ = io.Copy(io.Discard, r)
	}
}

// BlackHole is a broker that lets everybody in, grants every subscription, answers PINGREQ, and acknowledges no message.
func BlackHole(client net.Conn, _ func() (net.Conn, error)) {
	for r := bufio.NewReader(client); ; {
		kind, body, err := packet(r)
		if err != nil {
			return
		}
		var answer []byte
		switch kind {
		case connectPacket:
			answer = welcome
		case subscribePacket:
			n := filters(body)
			answer = append([]byte{0x90, byte(2 + n), body[0], body[1]}, make([]byte, n)...)
			for i := range n {
				answer[4+i] = 1
			}
		case pingPacket:
			answer = []byte{0xd0, 0}
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

// packet reads an MQTT packet and returns its type and what comes after the fixed header.
func packet(r *bufio.Reader) (kind byte, body []byte, err error) {
	first, err := r.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	length := 0
	for shift := 0; ; shift += 7 {
		b, err := r.ReadByte()
		if err != nil || shift > 21 {
			return 0, nil, errNoPacket
		}
		length |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			break
		}
	}
	body = make([]byte, length)
	_, err = io.ReadFull(r, body)
	return first & 0xf0, body, err
}

// filters counts the topic filters of a SUBSCRIBE.
func filters(body []byte) (n int) {
	for i := 2; i+2 < len(body); n++ {
		i += 2 + int(body[i])<<8 + int(body[i+1]) + 1
	}
	return n
}
