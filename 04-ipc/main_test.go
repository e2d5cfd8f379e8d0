//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

var suite = nstest.New("04-ipc")

func TestMain(m *testing.M) {
	suite.Main(m, nstest.Helpers{
		"make": makeObjects, "without-mqueue": withoutMqueue,
	})
}

func TestAllLessons(t *testing.T) {
	suite.All(t, map[string]string{"hostname": "04-ipc"})
}

// Keys, and names of POSIX queues. Identifiers would prove nothing: each namespace may
// use the same.
const outsideKey, insideKey = 0x6e736c01, 0x6e736c02

var kinds = []string{"msg", "sem", "shm"}

// object looks up a System V object, or makes it with IPC_CREAT.
func object(kind string, key, flags uintptr) (id uintptr, err error) {
	var errno unix.Errno
	switch kind {
	case "msg":
		id, _, errno = unix.Syscall(unix.SYS_MSGGET, key, flags, 0)
	case "sem":
		id, _, errno = unix.Syscall(unix.SYS_SEMGET, key, 1, flags)
	case "shm":
		id, _, errno = unix.Syscall(unix.SYS_SHMGET, key, 4096, flags)
	}
	if errno != 0 {
		err = fmt.Errorf("%sget %#x: %w", kind, key, errno)
	}
	return id, err
}

// objects does so for one object of each kind. It returns what went wrong.
func objects(key, flags uintptr) (failed []error) {
	for _, kind := range kinds {
		if _, err := object(kind, key, flags); err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

// remove removes them. Otherwise they would stay.
func remove(t *testing.T, key uintptr) {
	for _, kind := range kinds {
		id, err := object(kind, key, 0)
		require.NoError(t, err)
		var errno unix.Errno
		switch kind {
		case "msg":
			_, _, errno = unix.Syscall(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0)
		case "sem":
			_, _, errno = unix.Syscall(unix.SYS_SEMCTL, id, 0, unix.IPC_RMID)
		case "shm":
			_, _, errno = unix.Syscall(unix.SYS_SHMCTL, id, unix.IPC_RMID, 0)
		}
		require.Zero(t, errno)
	}
}

// posixQueue opens a POSIX queue, or makes it with O_CREAT.
func posixQueue(key uintptr, flags int) error {
	name, err := unix.BytePtrFromString(queueName(key))
	if err != nil {
		return err
	}
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN,
		uintptr(unsafe.Pointer(name)), uintptr(flags), 0o600, 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("mq_open %s: %w", queueName(key), errno)
	}
	return unix.Close(int(fd))
}

func queueName(key uintptr) string { return fmt.Sprintf("nstest-%x", key) }

// makeObjects makes an object of each kind with one key, and says which objects it finds
// by a different key.
func makeObjects(args []string) error {
	own, err1 := strconv.ParseUint(args[0], 0, 32)
	other, err2 := strconv.ParseUint(args[1], 0, 32)
	errs := append([]error{err1, err2}, objects(uintptr(own), unix.IPC_CREAT|0o600)...)
	errs = append(errs, posixQueue(uintptr(own), unix.O_CREAT|unix.O_RDWR))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, err := range append(objects(uintptr(other), 0),
		posixQueue(uintptr(other), unix.O_RDWR)) {
		fmt.Println(err)
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	for _, kind := range kinds {
		text, _ := os.ReadFile("/proc/sysvipc/" + kind)
		fmt.Printf("%s has %d lines\n", kind,
			strings.Count(string(text), "\n"))
	}
	return err
}

// What is made outside does not exist inside, and the other way around.
func TestQueuesSemaphoresSharedMemory(t *testing.T) {
	nstest.NeedRoot(t)
	require.Empty(t, objects(outsideKey, unix.IPC_CREAT|0o600))
	defer remove(t, outsideKey)
	require.NoError(t, posixQueue(outsideKey, unix.O_CREAT|unix.O_RDWR))
	defer os.Remove("/dev/mqueue/" + queueName(outsideKey))
	require.FileExists(t, "/dev/mqueue/"+queueName(outsideKey))

	c := suite.Start(t, suite.Command(t, nstest.Helper("make",
		fmt.Sprint(insideKey), fmt.Sprint(outsideKey))...))
	for _, want := range []string{
		"msgget 0x6e736c01: no such file or directory",
		"semget 0x6e736c01: no such file or directory",
		"shmget 0x6e736c01: no such file or directory",
		"mq_open nstest-6e736c01: no such file or directory",
	} {
		require.Equal(t, want, c.Line())
	}
	c.Ready()

	// Inside they exist: the queue has its file, which the host sees only in the
	// container's mount.
	inside, err := os.ReadDir(fmt.Sprintf("/proc/%d/root/dev/mqueue", c.Init))
	require.NoError(t, err)
	require.Len(t, inside, 1)
	require.Equal(t, queueName(insideKey), inside[0].Name())
	require.NoFileExists(t, "/dev/mqueue/"+queueName(insideKey))
	for _, err := range objects(insideKey, 0) {
		require.ErrorIs(t, err, unix.ENOENT)
	}
	require.Len(t, objects(insideKey, 0), 3)
	require.ErrorIs(t, posixQueue(insideKey, unix.O_RDWR), unix.ENOENT)

	r := c.Finish()
	require.Zero(t, r.Status, r.Stderr)
	// A heading, and one object.
	require.Equal(t, "msg has 2 lines\nsem has 2 lines\nshm has 2 lines\n",
		r.Stdout)
}

func TestMqueue(t *testing.T) {
	nstest.NeedRoot(t)
	c := suite.Cat(t)
	require.Equal(t, "mqueue", nstest.MountAt(t, c.Init, "/dev/mqueue").Type)
	nstest.RequireNoPropagation(t, c.Init)
	require.Zero(t, c.Finish().Status)
}

// withoutMqueue becomes a command with an empty /dev.
func withoutMqueue(command []string) error {
	runtime.LockOSThread()
	return errors.Join(
		unix.Unshare(unix.CLONE_NEWNS),
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("tmpfs", "/dev", "tmpfs", 0, ""),
		unix.Exec(command[0], command, os.Environ()))
}

// Where there is no /dev/mqueue, the lesson says so and goes on.
func TestNoMqueue(t *testing.T) {
	nstest.NeedRoot(t)
	command := suite.Command(t, "cat")
	args := nstest.Helper("without-mqueue", command.Args...)
	c := suite.Start(t, exec.Command(args[0], args[1:]...), nstest.Echo)
	require.NotEqual(t, nstest.Namespaces(t, os.Getpid())["ipc"],
		nstest.Namespaces(t, c.Init)["ipc"])
	r := c.Finish()
	require.Zero(t, r.Status)
	require.Contains(t, r.Stderr, "04-ipc: no /dev/mqueue")
}
