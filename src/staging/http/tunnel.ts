import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import { TransferError } from '../transfer-error.js'
import { basicAuth } from './basic-auth.js'

export interface TunnelTarget {
  readonly host: string
  readonly port: number
}

/**
 * Has a proxy make a connection to `target` (CONNECT, RFC 9110 §9.3.6). `trust` is for proxies that are themselves spoken to by https.
 * @throws TransferError when the proxy refuses or says nothing for `timeoutMs`; else the system error
 */
export function openTunnel(
  proxy: URL,
  target: TunnelTarget,
  trust: SecureContext | undefined,
  timeoutMs: number,
): Promise<Socket> {
  const name = target.host.includes(':') ? `[${target.host}]` : target.host
  const path = `${name}:${target.port}`
  const authorization = basicAuth(proxy)
  const options: https.RequestOptions = {
    method: 'CONNECT',
    hostname: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
    path,
    agent: false,
    headers: {
      host: path,
      ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }),
    },
    ...(trust === undefined ? {} : { secureContext: trust }),
  }
  return new Promise((resolve, reject) => {
    const fail = (words: string): void => {
      request.destroy()
      reject(new TransferError(`the proxy ${proxy.host} ${words}`, { transient: true }))
    }
    const request = (proxy.protocol === 'https:' ? https : http).request(options)
    const timer = setTimeout(() => fail(`did not connect to ${path} in time`), timeoutMs)
    request.on('connect', (response, socket) => {
      clearTimeout(timer)
      if (response.statusCode === 200) return resolve(socket)
      socket.destroy()
      fail(`refused to connect to ${path} (${response.statusCode})`)
    })
    // An answer without a tunnel.
    request.on('response', (response) => {
      clearTimeout(timer)
      fail(`refused to connect to ${path} (${response.statusCode})`)
    })
    request.on('error', (error) => {
      clearTimeout(timer)
      reject(
        new TransferError(`the proxy ${proxy.host} cannot be used: ${error.message}`, {
          transient: true,
          cause: error,
        }),
      )
    })
    request.end()
  })
}
