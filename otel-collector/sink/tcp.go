package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// dialTimeout bounds connecting to the real server.
	dialTimeout = 5 * time.Second
	// copyBytes is how much is passed on at once.
	copyBytes = 32 << 10
)

// tcpProxy passes bytes on to a real server as they are, through the faults that a TCP stream
// can have.
type tcpProxy struct {
	upstream string
	modes    *modes
}

// serve accepts until the returned function ends it and every connection.
func (p *tcpProxy) serve(listener net.Listener) func() {
	var lock sync.Mutex
	open := map[*tunnel]bool{}
	isClosed := false
	// track is false when the door was closed meanwhile.
	track := func(one *tunnel, isOpen bool) bool {
		lock.Lock()
		defer lock.Unlock()
		if !isOpen {
			delete(open, one)
			return true
		}
		if !isClosed {
			open[one] = true
		}
		return !isClosed
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				loud("the data port cannot accept: %v", err)
				return
			}
			one := &tunnel{proxy: p, client: connection}
			if !track(one, true) {
				reset(connection)
				continue
			}
			go func() {
				defer track(one, false)
				one.run()
			}()
		}
	}()
	return func() {
		_ = listener.Close()
		lock.Lock()
		defer lock.Unlock()
		isClosed = true
		for one := range open {
			one.end()
		}
	}
}

// tunnel is one client's connection and the one to the real server that belongs to it.
type tunnel struct {
	proxy  *tcpProxy
	client net.Conn

	lock sync.Mutex
	// server is nil until the first byte that is passed on.
	server  net.Conn
	isEnded bool
	// isMute holds back everything that the real server says, its end too.
	isMute bool
	// returned is closed when the real server has ended.
	returned chan struct{}
}

// end breaks both connections, at the client's side with a reset.
func (t *tunnel) end() {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.isEnded = true
	reset(t.client)
	if t.server != nil {
		_ = t.server.Close()
	}
}

// run reads from the client until it ends, and applies the mode that rules at each piece.
func (t *tunnel) run() {
	defer t.end()
	mode, changed := t.proxy.modes.take("")
	handshake := &tlsHandshake{}
	buffer := make([]byte, copyBytes)
	for {
		length, err := t.read(buffer, mode, changed)
		select {
		case <-changed:
			if mode.Name == modeHang || mode.Name == modeTakenThenHang {
				// The stream has lost bytes or an answer: it cannot go on.
				return
			}
			mode, changed = t.proxy.modes.take("")
		default:
		}
		isOver := err != nil
		if mode.Name == modeReset && (length > 0 || isOver) {
			return
		}
		if mode.Name == modeHang {
			t.setMute(true)
			if isOver {
				<-changed
				return
			}
			continue
		}
		if length > 0 {
			t.setMute(mode.Name == modeTakenThenHang && handshake.isDone(buffer[:length]))
			if !t.pass(buffer[:length]) {
				return
			}
		}
		if isOver {
			t.finish(err, mode, changed)
			return
		}
	}
}

// read waits for bytes. In a mode that holds the connection, a change of the mode ends the wait.
func (t *tunnel) read(buffer []byte, mode Mode, changed <-chan struct{}) (int, error) {
	if mode.Name != modeHang && mode.Name != modeTakenThenHang {
		return t.client.Read(buffer)
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-changed:
			reset(t.client)
		case <-done:
		}
	}()
	return t.client.Read(buffer)
}

func (t *tunnel) setMute(isMute bool) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.isMute = isMute
}

// pass gives bytes to the real server, connecting to it at the first ones.
func (t *tunnel) pass(piece []byte) bool {
	if !t.connect() {
		return false
	}
	_, err := t.server.Write(piece)
	return err == nil
}

func (t *tunnel) connect() bool {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.server != nil || t.isEnded {
		return !t.isEnded
	}
	server, err := net.DialTimeout("tcp", t.proxy.upstream, dialTimeout)
	if err != nil {
		loud("the real server is not there: %v", err)
		return false
	}
	t.server, t.returned = server, make(chan struct{})
	go t.giveBack()
	return true
}

// giveBack passes on what the real server says, unless it is to be held back.
func (t *tunnel) giveBack() {
	defer close(t.returned)
	buffer := make([]byte, copyBytes)
	for {
		length, err := t.server.Read(buffer)
		t.lock.Lock()
		isMute := t.isMute
		t.lock.Unlock()
		if !isMute && length > 0 {
			if _, err := t.client.Write(buffer[:length]); err != nil {
				return
			}
		}
		if err == nil {
			continue
		}
		switch {
		case isMute:
		case errors.Is(err, io.EOF):
			closeWrite(t.client)
		default:
			// A reset must not look like an orderly end, which would mean that all was read.
			reset(t.client)
		}
		return
	}
}

// finish tells the real server that the client has ended, and waits for its own end.
func (t *tunnel) finish(err error, mode Mode, changed <-chan struct{}) {
	if !errors.Is(err, io.EOF) || !t.connect() {
		return
	}
	t.setMute(mode.Name == modeTakenThenHang)
	closeWrite(t.server)
	if mode.Name == modeTakenThenHang {
		<-changed
		return
	}
	select {
	case <-t.returned:
	case <-time.After(idleTimeout):
	}
	// An orderly end, which the deferred reset must not spoil.
	_ = t.client.Close()
}

func closeWrite(connection net.Conn) {
	if half, ok := connection.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
