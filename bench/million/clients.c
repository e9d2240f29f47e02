/*
 * Up to 19,000 WebSocket clients in one small process: they sign in by the cookies of a file, enter one room, answer pings,
 * and count the numbered frames. Each socket checks that the numbers go up one by one. What it must not do is cost memory:
 * a client is 36 bytes here, and all of them read into one buffer.
 *
 *   clients PORT ADDRESS PATH WINDOW < commands      ADDRESS: the first of four local ones; WINDOW: handshakes at once
 *
 * Commands, a line each: `enter FILE` opens one client for each line of the file (a Cookie header); `say N` sends N messages
 * from the first client; `halt` opens no more; `report` answers with one line of JSON; `begin` forgets what was counted. The
 * end of the input ends the process. It writes `in N LOST` once a second while clients enter, and `done N LOST` at the end.
 * Times are microseconds of CLOCK_MONOTONIC, the same in every process.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { maxFiles = 20000, lookBytes = 14, peekBytes = 10 + lookBytes, readBytes = 64 * 1024, eventsAtOnce = 512, addresses = 4 };
enum state { unused, connecting, upgrading, entered };

struct client {
  uint32_t skip;  /* bytes of a frame that are still to come and need no look */
  uint32_t last;  /* number of the newest event */
  uint8_t state;
  uint8_t held;   /* bytes of `peek` */
  uint8_t tail;   /* the last bytes of the response: how much of "\r\n\r\n" has come */
  uint8_t peek[peekBytes];
};

static struct client clients[maxFiles]; /* by descriptor */
static unsigned char buffer[peekBytes + readBytes];
static struct sockaddr_in server, local;
static in_addr_t firstAddress;
static long opened;
static const char *path;
static int window, epollFd, firstClient = -1;
static const char *cookies, *nextCookie, *cookiesEnd;
static long unusedCookies, connects, in, lost, refused, busy, messages, gaps, pings;
static uint64_t saidAt, firstAt, lastAt, enteredAt, progressAt;
static char fault[128];

static uint64_t nanos(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void die(const char *what) {
  fprintf(stderr, "clients: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void lose(int fd, const char *why) {
  struct client *client = &clients[fd];
  if (client->state == entered) in--;
  else busy--;
  if (client->state == connecting) connects--;
  if (client->state == upgrading) refused++;
  lost++;
  if (fault[0] == 0) snprintf(fault, sizeof fault, "%s", why);
  client->state = unused;
  close(fd);
}

static void send_all(int fd, const void *bytes, size_t size) {
  if (write(fd, bytes, size) != (ssize_t)size) lose(fd, "write");
}

static void request(int fd) {
  char text[2048];
  const char *end = memchr(nextCookie, '\n', (size_t)(cookiesEnd - nextCookie));
  int length = (int)((end ? end : cookiesEnd) - nextCookie);
  int size = snprintf(text, sizeof text,
                      "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                      "Sec-WebSocket-Protocol: superchat\r\nCookie: %.*s\r\n\r\n",
                      path, ntohs(server.sin_port), length, nextCookie);
  nextCookie = end ? end + 1 : cookiesEnd;
  unusedCookies--;
  send_all(fd, text, (size_t)size);
}

static void open_one(void) {
  const int on = 1, small = 16 * 1024;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || fd >= maxFiles) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  local.sin_addr.s_addr = htonl(ntohl(firstAddress) + (uint32_t)(opened++ % addresses)); /* so that most ports of each are free */
  if (bind(fd, (struct sockaddr *)&local, sizeof local) < 0) die("bind");
  if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) die("connect");
  memset(&clients[fd], 0, sizeof clients[fd]);
  clients[fd].state = connecting;
  connects++;
  busy++;
  struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
  if (epoll_ctl(epollFd, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void on_connected(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    lose(fd, strerror(error));
    return;
  }
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epollFd, EPOLL_CTL_MOD, fd, &event);
  clients[fd].state = upgrading;
  connects--;
  request(fd);
}

/* Returns where the frames begin, or NULL when the response is not whole. */
static const unsigned char *after_response(int fd, const unsigned char *at, const unsigned char *end) {
  static const char blank[] = "\r\n\r\n";
  struct client *client = &clients[fd];
  if (client->tail == 0 && client->held == 0 && end - at >= 12) {
    client->held = 1;
    if (memcmp(at, "HTTP/1.1 101", 12) != 0) {
      char why[40];
      snprintf(why, sizeof why, "%.12s", at);
      lose(fd, why);
      return NULL;
    }
  }
  for (; at < end; at++) {
    client->tail = *at == blank[client->tail] ? client->tail + 1 : *at == '\r';
    if (client->tail == 4) {
      client->held = 0;
      return at + 1;
    }
  }
  return NULL;
}

static void on_message(struct client *client, const unsigned char *digits) {
  uint32_t number = 0;
  while (*digits >= '0' && *digits <= '9') number = number * 10 + (*digits++ - '0');
  if (client->last != 0 && number != client->last + 1) gaps++;
  client->last = number;
  messages++;
  lastAt = nanos();
  if (firstAt == 0) firstAt = lastAt;
}

/* One frame, of which at least the header and the beginning is there. */
static void on_frame(int fd, unsigned char first, const unsigned char *payload, uint64_t size) {
  struct client *client = &clients[fd];
  if (first == 0x81 && size > 6 && memcmp(payload, "{\"id\":", 6) == 0) on_message(client, payload + 6);
  else if (first == 0x81 && size > 9 && payload[9] == 'h' && client->state == upgrading) {
    client->state = entered;
    busy--;
    in++;
    enteredAt = nanos();
    if (firstClient < 0) firstClient = fd;
  } else if (first == 0x89) {
    static const unsigned char pong[6] = {0x8a, 0x80, 0, 0, 0, 0};
    pings++;
    send_all(fd, pong, sizeof pong);
  } else if (first == 0x88) {
    char why[20];
    snprintf(why, sizeof why, "closed %d", size < 2 ? 1005 : payload[0] << 8 | payload[1]);
    lose(fd, why);
  }
}

/* Walks over whole and begun frames; keeps the first bytes of one that cannot be judged yet. */
static void on_bytes(int fd, const unsigned char *at, const unsigned char *end) {
  struct client *client = &clients[fd];
  while (client->state != unused && at < end) {
    if (client->skip > 0) {
      uint64_t step = (uint64_t)(end - at) < client->skip ? (uint64_t)(end - at) : client->skip;
      client->skip -= (uint32_t)step;
      at += step;
      continue;
    }
    uint64_t have = (uint64_t)(end - at), size = have < 2 ? 0 : at[1] & 0x7f;
    uint64_t header = size == 126 ? 4 : size == 127 ? 10 : 2;
    if (have >= header && header == 4) size = (uint64_t)at[2] << 8 | at[3];
    if (have >= header && header == 10) size = (uint64_t)at[6] << 24 | at[7] << 16 | at[8] << 8 | at[9];
    uint64_t needed = header + (size < lookBytes ? size : lookBytes);
    if (have < 2 || have < needed) {
      client->held = (uint8_t)have;
      memcpy(client->peek, at, have);
      return;
    }
    on_frame(fd, at[0], at + header, size);
    uint64_t rest = have - header;
    client->skip = size > rest ? (uint32_t)(size - rest) : 0;
    at += header + (size > rest ? rest : size);
  }
}

static void on_readable(int fd) {
  struct client *client = &clients[fd];
  ssize_t size = read(fd, buffer + peekBytes, readBytes);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    lose(fd, size == 0 ? "ended by the server" : strerror(errno));
    return;
  }
  const unsigned char *at = buffer + peekBytes, *end = at + size;
  if (client->state == upgrading && client->tail < 4) at = after_response(fd, at, end);
  if (at == NULL) return;
  if (client->held > 0) {
    at -= client->held;
    memcpy((unsigned char *)at, client->peek, client->held);
    client->held = 0;
  }
  on_bytes(fd, at, end);
}

static void report(void) {
  printf("{\"in\":%ld,\"lost\":%ld,\"refused\":%ld,\"messages\":%ld,\"gaps\":%ld,\"pings\":%ld,\"saidAt\":%.0f,\"firstAt\":%.0f,\"lastAt\":%.0f,"
         "\"enteredAt\":%.0f,\"fault\":\"%s\"}\n",
         in, lost, refused, messages, gaps, pings, saidAt / 1e3, firstAt / 1e3, lastAt / 1e3, enteredAt / 1e3, fault);
}

static void enter(const char *file) {
  struct stat status;
  int fd = open(file, O_RDONLY);
  if (fd < 0 || fstat(fd, &status) < 0) die(file);
  cookies = nextCookie = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (cookies == MAP_FAILED) die("mmap");
  cookiesEnd = cookies + status.st_size;
  unusedCookies = cookies < cookiesEnd;
  for (const char *at = cookies; at < cookiesEnd; at++) unusedCookies += *at == '\n';
  close(fd);
}

static void say(int count) {
  saidAt = nanos();
  for (int n = 0; n < count; n++) {
    char payload[256];
    unsigned char frame[264] = {0x81};
    int size = snprintf(payload, sizeof payload, "{\"type\":\"chat\",\"data\":\"message %d\",\"cid\":\"%llx-%d\"}", n,
                        (unsigned long long)nanos(), n);
    frame[1] = (unsigned char)(0x80 | size); /* under 126; the mask is zero */
    memcpy(frame + 6, payload, (size_t)size);
    send_all(firstClient, frame, (size_t)size + 6);
  }
}

static void on_command(char *line) {
  if (strncmp(line, "enter ", 6) == 0) enter(line + 6);
  else if (strncmp(line, "say ", 4) == 0) say(atoi(line + 4));
  else if (strcmp(line, "halt") == 0) unusedCookies = 0, nextCookie = cookiesEnd;
  else if (strcmp(line, "begin") == 0) messages = gaps = pings = 0, firstAt = lastAt = 0;
  else report();
}

static void on_input(void) {
  static char line[4096];
  static size_t held;
  ssize_t size = read(STDIN_FILENO, line + held, sizeof line - 1 - held);
  if (size == 0) exit(0);
  if (size < 0) return;
  held += (size_t)size;
  for (char *end; (end = memchr(line, '\n', held)) != NULL;) {
    *end = 0;
    on_command(line);
    held -= (size_t)(end + 1 - line);
    memmove(line, end + 1, held);
  }
}

static void progress(void) {
  static int told = 1;
  int isDone = unusedCookies == 0 && busy == 0;
  if (cookies == NULL) return;
  if (!isDone) told = 0;
  if (told || (!isDone && nanos() < progressAt)) return;
  progressAt = nanos() + 1000000000ull;
  told = isDone;
  printf("%s %ld %ld\n", isDone ? "done" : "in", in, lost);
  if (isDone) munmap((void *)cookies, (size_t)(cookiesEnd - cookies));
  if (isDone) cookies = nextCookie = cookiesEnd = NULL;
}

int main(int argc, char **argv) {
  static struct epoll_event events[eventsAtOnce];
  if (argc != 5) return 64;
  setvbuf(stdout, NULL, _IOLBF, 4096);
  server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  local = (struct sockaddr_in){.sin_family = AF_INET};
  if (inet_pton(AF_INET, argv[2], &local.sin_addr) != 1) return 64;
  firstAddress = local.sin_addr.s_addr;
  path = argv[3];
  window = atoi(argv[4]);
  epollFd = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event input = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
  if (epoll_ctl(epollFd, EPOLL_CTL_ADD, STDIN_FILENO, &input) < 0) die("epoll_ctl");
  for (;;) {
    while (busy < window && connects < unusedCookies) open_one();
    int count = epoll_wait(epollFd, events, eventsAtOnce, 1000);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == STDIN_FILENO) on_input();
      else if (clients[fd].state == connecting) on_connected(fd);
      else if (clients[fd].state != unused) on_readable(fd);
    }
    progress();
  }
}
