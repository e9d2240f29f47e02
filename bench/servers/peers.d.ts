/** The few lines of Bun and Socket.IO that the peers use, so that types can be checked without installing them. */

interface BunSocket {
  readonly data: { readonly room: string; readonly user: unknown };
  subscribe(room: string): void;
}

interface BunServer {
  readonly port: number;
  upgrade(request: Request, options: { data: BunSocket['data'] }): boolean;
  publish(room: string, frame: string): number;
}

declare const Bun: {
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: Request, server: BunServer): Response | undefined;
    websocket: {
      perMessageDeflate: boolean;
      open(ws: BunSocket): void;
      message(ws: BunSocket, text: string): void;
    };
  }): BunServer;
};

declare module 'socket.io' {
  interface Socket {
    readonly handshake: {
      readonly headers: { readonly cookie?: string };
      readonly query: Record<string, string>;
    };
    join(room: string): void;
    on(event: 'm', listener: (text: string) => void): void;
    on(event: 'say', listener: (text: string, acknowledge: () => void) => void): void;
  }
  export class Server {
    constructor(
      http: import('node:http').Server,
      options: {
        transports: string[];
        perMessageDeflate: boolean;
        serveClient: boolean;
        httpCompression?: boolean;
        connectionStateRecovery?: { maxDisconnectionDuration: number };
        adapter?: unknown;
      },
    );
    on(event: 'connection', listener: (socket: Socket) => void): void;
    to(room: string): { emit(event: 'm', message: unknown): void };
  }
}

declare module '@socket.io/redis-streams-adapter' {
  export function createAdapter(client: unknown): unknown;
}
