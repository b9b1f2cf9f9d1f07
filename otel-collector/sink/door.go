package main

import (
	"net"
	"sync"
)

// door is the data port: it may be closed, so that connections are refused, and opened again at
// the same address.
type door struct {
	serve func(net.Listener) func()

	lock sync.Mutex
	addr string
	// shut ends what serves now; nil while the door is closed.
	shut func()
}

func openDoor(address string, serve func(net.Listener) func()) (*door, error) {
	own := &door{serve: serve, addr: address}
	return own, own.open()
}

func (d *door) address() string {
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.addr
}

func (d *door) open() error {
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.shut != nil {
		return nil
	}
	listener, err := net.Listen("tcp", d.addr)
	if err != nil {
		return err
	}
	// A port given as 0 is chosen once and kept.
	d.addr = listener.Addr().String()
	d.shut = d.serve(newLimited(listener.(*net.TCPListener), maxConnections))
	return nil
}

// close ends the listener and every connection of it.
func (d *door) close() {
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.shut != nil {
		d.shut()
		d.shut = nil
	}
}

// limited is a listener with a bound on its open connections.
type limited struct {
	*net.TCPListener
	places chan struct{}
	once   sync.Once
	closed chan struct{}
}

func newLimited(listener *net.TCPListener, connections int) *limited {
	places := make(chan struct{}, connections)
	return &limited{TCPListener: listener, places: places, closed: make(chan struct{})}
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	connection, err := l.AcceptTCP()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &placed{TCPConn: connection, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.TCPListener.Close()
}

// placed gives its place back when it is closed.
type placed struct {
	*net.TCPConn
	leave func()
}

func (p *placed) Close() error {
	defer p.leave()
	return p.TCPConn.Close()
}

// reset closes the connection so that the peer sees a reset instead of an end. It accepts what a
// server holds: the connection itself or the TLS around it.
func reset(connection net.Conn) {
	if wrapped, ok := connection.(interface{ NetConn() net.Conn }); ok {
		connection = wrapped.NetConn()
	}
	if tcp, ok := connection.(interface{ SetLinger(int) error }); ok {
		// Without lingering, closing sends RST at once; failing that, it is an ordinary end.
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}
