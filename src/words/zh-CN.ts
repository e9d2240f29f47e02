/** What people read, in simplified Chinese. */
import type { Words } from './words.js';

export const words: Words = {
  language: { name: '简体中文', tag: 'zh-CN' },
  signIn: {
    title: '登录',
    lead: '每条消息都有一个编号,永不改变。',
    name: '你的名字',
    enter: '进入',
  },
};
